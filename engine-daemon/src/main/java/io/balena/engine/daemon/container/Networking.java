package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.EngineException.NotSupported;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.daemon.network.DockerNetwork;
import io.balena.engine.network.BridgeNetwork;
import io.balena.engine.network.Endpoint;
import io.balena.engine.network.PortBinding;
import io.balena.engine.network.PortUnavailable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Puts containers on the network they asked for.
final class Networking {
    private final Optional<BridgeNetwork> bridge;
    private final List<DockerNetwork> dockerNetworks;

    Networking(Optional<BridgeNetwork> bridge, List<DockerNetwork> dockerNetworks) {
        this.bridge = bridge;
        this.dockerNetworks = dockerNetworks;
    }

    /// The name of the network a mode means; empty for that of another container.
    Optional<String> networkOf(NetworkMode mode) {
        return switch (mode) {
            case NetworkMode.Bridge _ -> Optional.of(bridge.isPresent() ? "bridge" : "none");
            case NetworkMode.Host _ -> Optional.of("host");
            case NetworkMode.None _ -> Optional.of("none");
            case NetworkMode.OfContainer _ -> Optional.empty();
            case NetworkMode.Named named -> Optional.of(named.name());
        };
    }

    /// Checks the ports at create.
    void validate(ContainerConfig config, HostConfig host) {
        ports(config, host);
    }

    /// Whether a container is to be on the engine's bridge.
    private boolean wantsBridge(ContainerRecord container) {
        return container.host().networkMode() instanceof NetworkMode.Bridge && bridge.isPresent() && !container.config().networkDisabled();
    }

    /// Reserves an address, if it needs one.
    Optional<Endpoint> allocate(ContainerRecord container) throws IOException {
        if (container.host().networkMode() instanceof NetworkMode.Named named) {
            if (dockerNetworks.stream().anyMatch(known -> known.name().equals(named.name()) || known.id().equals(named.name()))) {
                throw new NotSupported("starting containers on the network " + named.name() + ", which Docker made,");
            }
            throw new NotFound("network " + named.name() + " not found");
        }
        if (!wantsBridge(container)) return Optional.empty();
        try {
            return Optional.of(bridge.get().allocate(container.id().hex(), container.config().macAddress(),
                    ports(container.config(), container.host())));
        } catch (PortUnavailable e) {
            throw new SystemFailure(e.messageFor(container.name()), e);
        }
    }

    void attach(ContainerRecord container, Endpoint endpoint, int pid) throws IOException {
        try {
            bridge.orElseThrow().attach(endpoint, pid);
        } catch (PortUnavailable e) {
            throw new SystemFailure(e.messageFor(container.name()), e);
        }
    }

    void release(ContainerId id) throws IOException {
        if (bridge.isPresent()) bridge.get().release(id.hex());
    }

    Optional<String> gateway() {
        return bridge.map(BridgeNetwork::gateway);
    }

    List<Endpoint> endpoints() {
        return bridge.map(BridgeNetwork::endpoints).orElse(List.of());
    }

    /// All ports that are exposed or published, as `80/tcp`.
    static List<String> exposed(ContainerRecord container) {
        Set<String> all = new LinkedHashSet<>(container.config().exposedPorts().stream().map(Networking::withProtocol).toList());
        for (var binding : container.host().portBindings().properties()) all.add(withProtocol(binding.getKey()));
        return List.copyOf(all);
    }

    private static String withProtocol(String port) {
        return port.contains("/") ? port : port + "/tcp";
    }

    private static List<PortBinding> ports(ContainerConfig config, HostConfig host) {
        List<PortBinding> all = new ArrayList<>();
        for (var entry : host.portBindings().properties()) {
            for (JsonNode binding : entry.getValue()) {
                all.add(binding(entry.getKey(), binding.path("HostIp").asText(""), binding.path("HostPort").asText("")));
            }
            if (entry.getValue().isEmpty()) all.add(binding(entry.getKey(), "", ""));
        }
        if (host.publishAllPorts()) {
            for (String port : config.exposedPorts()) if (!host.portBindings().has(port)) all.add(binding(port, "", ""));
        }
        return all;
    }

    private static PortBinding binding(String port, String address, String hostPort) {
        String[] parts = withProtocol(port).split("/", 2);
        if (!Set.of("tcp", "udp", "sctp").contains(parts[1])) throw new InvalidRequest("invalid port specification: \"" + port + "\"");
        // A range of host ports means any one of them; its first is as good as another when it is free.
        String first = hostPort.contains("-") ? hostPort.substring(0, hostPort.indexOf('-')) : hostPort;
        int hostNumber = first.isEmpty() ? 0 : number(port, first, 0);
        try {
            return new PortBinding(parts[1], number(port, parts[0], 1), address, hostNumber);
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest(e.getMessage());
        }
    }

    private static int number(String port, String text, int least) {
        try {
            int number = Integer.parseInt(text);
            if (number >= least && number <= 65535) return number;
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new InvalidRequest("invalid port specification: \"" + port + "\"");
    }
}
