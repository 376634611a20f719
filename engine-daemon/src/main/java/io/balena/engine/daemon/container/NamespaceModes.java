package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.NetworkMode;
import java.util.List;

/// What a container's namespaces forbid it to ask for besides, said when it is created.
///
/// @param remapped whether containers have users of their own unless they ask for the host's
record NamespaceModes(ContainerStore store, boolean remapped) {
    private static final String CONTAINER = "container:";

    /// @param config as the client sent it: what an image or the engine adds is no conflict
    /// @throws InvalidRequest in Docker's words
    void validate(ContainerConfig config, HostConfig host) {
        network(config, host);
        if (host.text("UTSMode").equals("host") && !config.hostname().isEmpty()) throw conflict("hostname and the UTS mode");
        if (host.networkMode() instanceof NetworkMode.Host && !host.texts("Links").isEmpty()) {
            throw conflict("host type networking can't be used with links. This would result in undefined behavior");
        }
        String cgroups = host.text("CgroupnsMode");
        if (!List.of("", "private", "host").contains(cgroups)) throw new InvalidRequest("invalid cgroup namespace mode: " + cgroups);
        if (remapped && !host.text("UsernsMode").equals("host")) users(host);
        for (String mode : List.of("IpcMode", "PidMode")) requireDonor(host.text(mode));
    }

    private static void network(ContainerConfig config, HostConfig host) {
        if (!(host.networkMode() instanceof NetworkMode.OfContainer other)) {
            if (host.networkMode() instanceof NetworkMode.Host && !config.macAddress().isEmpty()) throw conflict("mac-address and the network mode");
            return;
        }
        if (other.idOrName().isEmpty()) {
            throw new InvalidRequest("Invalid network mode: invalid container format container:<name|id>");
        }
        if (!config.hostname().isEmpty()) throw conflict("hostname and the network mode");
        if (!host.texts("Links").isEmpty()) {
            throw conflict("container type network can't be used with links. This would result in undefined behavior");
        }
        if (!host.texts("Dns").isEmpty()) throw conflict("dns and the network mode");
        if (!host.texts("ExtraHosts").isEmpty()) throw conflict("custom host-to-IP mapping and the network mode");
        if (!config.macAddress().isEmpty()) throw conflict("mac-address and the network mode");
        if (!host.portBindings().isEmpty() || host.publishAllPorts()) throw conflict("port publishing and the container type network mode");
        if (!config.exposedPorts().isEmpty()) throw conflict("port exposing and the container type network mode");
    }

    private static void users(HostConfig host) {
        if (host.privileged()) {
            throw new InvalidRequest("privileged mode is incompatible with user namespaces.  You must run the container in the host namespace"
                    + " when running privileged mode");
        }
        if (host.networkMode() instanceof NetworkMode.Host) {
            throw new InvalidRequest("cannot share the host's network namespace when user namespaces are enabled");
        }
        if (host.text("PidMode").equals("host")) {
            throw new InvalidRequest("cannot share the host PID namespace when user namespaces are enabled");
        }
    }

    /// Clients take "not found" for the image, and would pull it.
    private void requireDonor(String mode) {
        if (!mode.startsWith(CONTAINER) || mode.length() == CONTAINER.length()) return;
        try {
            store.find(mode.substring(CONTAINER.length()));
        } catch (NotFound e) {
            throw new InvalidRequest(e.getMessage());
        }
    }

    private static InvalidRequest conflict(String what) {
        return new InvalidRequest("conflicting options: " + what);
    }
}
