package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HealthCheck;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.LogOptions;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.daemon.container.mount.MountRequests;
import io.balena.engine.daemon.container.spec.CgroupDriver;
import io.balena.engine.daemon.container.spec.CgroupSupport;
import io.balena.engine.daemon.container.spec.SpecBuilder;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.distribution.DistributionException;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Images;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Makes containers. What fails leaves nothing.
final class Creation {
    private static final Logger LOG = System.getLogger(Creation.class.getName());

    private final ContainerStore store;
    private final Images images;
    private final LayerStore layers;
    private final ContainerVolumes volumes;
    private final Networking networking;
    private final LegacyLinks links;
    private final ContainerEvents events;
    private final NamespaceModes modes;
    private final CgroupDriver cgroups;
    private final Runtimes runtimes;

    /// @param name empty to get one
    /// @param networks the request's `NetworkingConfig.EndpointsConfig`; may be missing
    /// @param version of the API in which it was asked for
    record Request(Optional<String> name, ContainerConfig config, HostConfig host, JsonNode networks, ApiVersion version) {
        Request(Optional<String> name, ContainerConfig config, HostConfig host, JsonNode networks) {
            this(name, config, host, networks, ApiVersion.NEWEST);
        }
    }

    record Created(ContainerId id, List<String> warnings) {}

    Creation(ContainerStore store, Images images, LayerStore layers, ContainerVolumes volumes, Networking networking, LegacyLinks links,
            ContainerEvents events, Runtimes runtimes, CgroupDriver cgroups, NamespaceModes modes) {
        this.store = store;
        this.images = images;
        this.layers = layers;
        this.volumes = volumes;
        this.networking = networking;
        this.links = links;
        this.events = events;
        this.modes = modes;
        this.cgroups = cgroups;
        this.runtimes = runtimes;
    }

    Created create(Request request) throws IOException {
        Optional<String> name = request.name.map(ContainerName::require);
        ResourceChecks.Checked checked = ResourceChecks.ofNew(request.host, CgroupSupport.ofThisMachine());
        HostConfig host = checked.host();
        try {
            cgroups.checkParent(host.text("CgroupParent"));
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest(e.getMessage());
        }
        validate(request.config, host);
        modes.validate(request.config, host);
        runtimes.requireForCreation(host.runtime());
        Image image = image(request.config.image());
        ContainerConfig config = request.config.over(image.config().path("config"));
        if (config.arguments().isEmpty()) throw new InvalidRequest("No command specified");
        ContainerId id = ContainerId.random();
        config = withDefaults(config, host, id);
        List<MountPoint> mounts = MountRequests.of(config, host, this::mountsOf, request.version);
        NetworkSettings network = networking.initial(config, host, request.networks);

        String taken = reserve(name, id);
        List<MountPoint> provided = List.of();
        try {
            HostConfig linked = links.resolved(host, taken);
            store.prepare(id);
            ContainerLayer layer = runtimes.isBare(host.runtime()) ? layers.createBareLayer(id.hex(), image.chain())
                    : layers.createContainerLayer(id.hex(), image.chain());
            provided = volumes.provide(id, mounts, layer, store);
            Container container = store.add(new ContainerRecord(id, Instant.now(), taken, image.id().toString(), config, linked,
                    ContainerState.created(), provided, network, 0, false, false, store.logPath(id, host),
                    JsonNodeFactory.instance.objectNode()));
            events.publish(container.record(), "create");
            return new Created(id, checked.warnings());
        } catch (IOException | RuntimeException e) {
            store.giveBack(taken, id);
            volumes.giveBack(id, provided, true);
            undo(id, e);
            throw e;
        }
    }

    /// Of a container that `--volumes-from` names. Clients take "not found" for the image, and would pull it.
    private List<MountPoint> mountsOf(String container) {
        try {
            return store.find(container).record().mounts();
        } catch (NotFound e) {
            throw new InvalidRequest(e.getMessage());
        }
    }

    private static void validate(ContainerConfig config, HostConfig host) {
        host.restartPolicy().validate();
        if (host.autoRemove() && !host.restartPolicy().none()) {
            throw new InvalidRequest("can't create 'AutoRemove' container with restart policy");
        }
        try {
            LogOptions.check(host.logDriver(), host.logOptions());
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest(e.getMessage());
        }
        SpecBuilder.validate(host);
        if (host.positive("ShmSize").orElse(0) < 0) throw new InvalidRequest("SHM size can not be less than 0");
        long adjustment = host.positive("OomScoreAdj").orElse(0);
        if (adjustment < -1000 || adjustment > 1000) {
            throw new InvalidRequest("Invalid value " + adjustment + ", range for oom score adj is [-1000, 1000]");
        }
        if (!List.of("host", "private").contains(host.text("CgroupnsMode"))) {
            throw new InvalidRequest("invalid cgroup namespace mode: " + host.text("CgroupnsMode"));
        }
        Signal.parse(config.stopSignal());
        for (String variable : config.environment()) {
            if (variable.isEmpty() || variable.startsWith("=")) throw new InvalidRequest("invalid environment variable: " + variable);
        }
        HealthCheck.validate(config);
        for (String extra : host.texts("ExtraHosts")) {
            if (extra.indexOf(':') < 1) throw new InvalidRequest("bad format for add-host: \"" + extra + "\"");
        }
        String directory = config.workingDirectory();
        if (!directory.isEmpty() && !directory.startsWith("/")) {
            throw new InvalidRequest("the working directory '" + directory + "' is invalid, it needs to be an absolute path");
        }
    }

    private Image image(String name) {
        if (name.isEmpty()) throw new InvalidRequest("Config cannot be empty in order to create a container");
        try {
            return images.resolve(name);
        } catch (DistributionException.NoSuchImage e) {
            throw new NotFound("No such image: " + familiar(name));
        }
    }

    private static String familiar(String name) {
        try {
            return ImageReference.parse(name).withDefaultTag().familiar();
        } catch (IllegalArgumentException e) {
            return name;
        }
    }

    private ContainerConfig withDefaults(ContainerConfig config, HostConfig host, ContainerId id) {
        ContainerConfig result = config;
        if (config.hostname().isEmpty()) {
            // As Docker, where sharing the host's names alone does not tell the container its name.
            boolean hosts = host.networkMode() instanceof NetworkMode.Host;
            result = result.with("Hostname", hosts ? hostName().orElse(id.shortHex()) : id.shortHex());
        }
        if (host.containerIdVariable().isPresent()) {
            String variable = host.containerIdVariable().get() + "=";
            if (config.environment().stream().anyMatch(entry -> entry.startsWith(variable))) {
                throw new Conflict("Conflict. The environment variable \"" + host.containerIdVariable().get()
                        + "\" is already set and cannot hold the container's id");
            }
            result = result.withEnvironment(variable + id);
        }
        return result;
    }

    private static Optional<String> hostName() {
        try {
            return Optional.of(KernelFile.text(Path.of("/proc/sys/kernel/hostname")).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private String reserve(Optional<String> name, ContainerId id) {
        if (name.isPresent()) {
            store.reserve(name.get(), id);
            return name.get();
        }
        for (int attempt = 0; ; attempt++) {
            String random = ContainerName.random() + (attempt > 4 ? Integer.toString(attempt) : "");
            try {
                store.reserve(random, id);
                return random;
            } catch (Conflict e) {
                // Taken; there are more.
            }
        }
    }

    private void undo(ContainerId id, Exception why) {
        try {
            Optional<ContainerLayer> layer = layers.containerLayer(id.hex());
            if (layer.isPresent()) layer.get().remove();
            volumes.dropImages(id);
            store.forget(id.hex());
        } catch (IOException | RuntimeException e) {
            // The next start of the engine finds it unfinished and tries again.
            LOG.log(Level.WARNING, "What is left of the unfinished container {0} cannot be removed: {1}", id, e.getMessage());
            why.addSuppressed(e);
        }
    }
}
