package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.ContainerStore.Durability;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.daemon.container.spec.ContainerRoot;
import io.balena.engine.daemon.container.spec.SpecBuilder;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.network.Endpoint;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.RuntimeSpec;
import io.balena.engine.runtime.Shim;
import io.balena.engine.runtime.Stdio;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Optional;

/// Brings a container to life. A failure at any step undoes those before it.
///
/// `Running` is recorded before the program runs: were it the other way round, a power cut could leave a program that has run, and
/// done something, in a container that "was never started", and a client would run it again.
final class Start {
    private static final Logger LOG = System.getLogger(Start.class.getName());
    private static final ObjectMapper JSON = new ObjectMapper();

    private final ContainerStore store;
    private final LayerStore layers;
    private final ContainerVolumes volumes;
    private final Networking networking;
    private final EtcFiles etc;
    private final ContainerEvents events;
    private final HealthMonitor health;
    private final Shim shim;
    private final Path bundles;
    private final SpecBuilder specs;

    /// @param bundles folder on a tmpfs
    Start(ContainerStore store, LayerStore layers, ContainerVolumes volumes, Networking networking, EtcFiles etc, ContainerEvents events,
            HealthMonitor health, Shim shim, Path bundles, SpecBuilder specs) {
        this.store = store;
        this.layers = layers;
        this.volumes = volumes;
        this.networking = networking;
        this.etc = etc;
        this.events = events;
        this.health = health;
        this.shim = shim;
        this.bundles = bundles;
        this.specs = specs;
    }

    private interface Step {
        void undo() throws IOException;
    }

    /// The caller holds the container's lock and has seen that it does not run.
    ///
    /// @throws EngineException in Docker's words; the record then says so, too
    void start(Container container) throws IOException {
        ContainerRecord before = container.record();
        Deque<Step> done = new ArrayDeque<>();
        try {
            setUp(container, done);
            container.attachments.attachAll(shim);
            shim.start(before.id().hex());
        } catch (IOException | RuntimeException e) {
            undo(before.id(), done);
            throw failed(container, before, e);
        }
        health.started(container);
        events.publish(container.record(), "start");
    }

    private void setUp(Container container, Deque<Step> done) throws IOException {
        ContainerRecord record = container.record();
        String id = record.id().hex();
        ContainerLayer layer = layers.containerLayer(id)
                .orElseThrow(() -> new SystemFailure("the writable layer of container " + id + " is missing", null));
        Path rootfs = layer.mount();
        done.push(layer::unmount);
        // Before a root that is read-only to the container can refuse it.
        if (!record.config().workingDirectory().isEmpty()) new ContainerRoot(rootfs).makeDirectory(record.config().workingDirectory());
        Optional<Endpoint> endpoint = networking.allocate(record);
        if (endpoint.isPresent()) done.push(() -> networking.release(record.id()));
        Map<String, Path> files = etcFiles(record, endpoint);
        done.push(() -> volumes.unmount(record));
        volumes.mount(record);
        makeSources(record);
        Path bundle = writeBundle(record, rootfs, files);
        done.push(() -> deleteBundle(record.id()));
        Optional<Stdio.Log> log = record.logPath().isEmpty() ? Optional.empty()
                : LogSettings.of(record.config(), record.host(), Path.of(record.logPath()));
        if (container.unacknowledged) {
            new Disposal(shim).of(id);
            container.unacknowledged = false;
        }
        // Also when its creation fails: the shim may have died in the middle of it.
        done.push(() -> new Disposal(shim).of(id));
        int pid = shim.create(id, bundle, new Stdio(record.config().openStdin(), record.config().stdinOnce(), log));
        NetworkSettings network = record.network();
        if (endpoint.isPresent()) {
            networking.attach(record, endpoint.get(), pid);
            network = network.connected("bridge", endpoint.get(), Networking.exposed(record));
            events.network(record, "connect", "bridge");
        }
        store.save(container, record.with(new ContainerState.Running(pid, Instant.now())).with(network).wasStarted(), durability(record));
    }

    /// After a restart of the machine a `--rm` container is removed whatever it did, so nothing of its life needs to be durable.
    static Durability durability(ContainerRecord record) {
        return record.host().autoRemove() ? Durability.PROCESS_END : Durability.POWER_CUT;
    }

    private Map<String, Path> etcFiles(ContainerRecord record, Optional<Endpoint> endpoint) throws IOException {
        if (record.host().networkMode() instanceof NetworkMode.OfContainer other) {
            // Who shares a network has the other's view of it.
            ContainerId owner = store.find(other.idOrName()).id();
            return Map.of("/etc/resolv.conf", etc.resolvConf(owner), "/etc/hostname", etc.hostname(owner), "/etc/hosts", etc.hosts(owner));
        }
        return etc.write(record, endpoint.map(Endpoint::address), networking.gateway());
    }

    private static void makeSources(ContainerRecord record) throws IOException {
        for (MountPoint mount : record.mounts()) {
            if (mount.type() != MountPoint.Type.BIND) continue;
            Path source = Path.of(mount.source());
            if (Files.exists(source)) continue;
            if (!mount.createSource()) {
                throw new InvalidRequest("invalid mount config for type \"bind\": bind source path does not exist: " + source);
            }
            Files.createDirectories(source);
        }
    }

    private Path writeBundle(ContainerRecord record, Path rootfs, Map<String, Path> files) throws IOException {
        var around = new SpecBuilder.Surroundings(record.id().hex(), rootfs, files, record.mounts(), this::pidOf);
        RuntimeSpec spec = specs.build(record.config(), record.host(), around);
        specs.prepareGroups(spec);
        Path bundle = bundles.resolve(record.id().hex());
        Files.createDirectories(bundle);
        Files.write(bundle.resolve("config.json"), JSON.writeValueAsBytes(spec));
        return bundle;
    }

    private int pidOf(String idOrName) {
        Container other = store.find(idOrName);
        if (!other.state().isAlive()) throw new Conflict("cannot join network of a non running container: " + other.id());
        return other.state().pid();
    }

    private void deleteBundle(ContainerId id) throws IOException {
        Path bundle = bundles.resolve(id.hex());
        Files.deleteIfExists(bundle.resolve("config.json"));
        Files.deleteIfExists(bundle);
    }

    private static void undo(ContainerId id, Deque<Step> done) {
        while (!done.isEmpty()) {
            try {
                done.pop().undo();
            } catch (IOException | RuntimeException e) {
                LOG.log(Level.WARNING, "Cleaning up after the failed start of container {0}: {1}", id, e.getMessage());
            }
        }
    }

    private EngineException failed(Container container, ContainerRecord before, Exception why) {
        EngineException told = told(why);
        int code = exitCode(why);
        container.attachments.failAll(new IOException(told.getMessage(), why));
        ContainerState next = switch (before.state()) {
            case ContainerState.Exited last ->
                    new ContainerState.Exited(code, false, last.since(), last.at(), told.getMessage());
            case ContainerState.Restarting again ->
                    new ContainerState.Exited(code, false, again.last().since(), again.last().at(), told.getMessage());
            default -> new ContainerState.Created(code, told.getMessage());
        };
        try {
            store.save(container, before.with(next), durability(before));
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Recording the failed start of container {0}: {1}", before.id(), e.getMessage());
            container.publish(before.with(next));
        }
        return told;
    }

    private static int exitCode(Exception why) {
        if (!(why instanceof ContainerFailure failure)) return 128;
        return switch (failure.kind()) {
            case NOT_FOUND -> 127;
            case NOT_EXECUTABLE -> 126;
            case NO_SUCH_PROCESS, SETUP -> 128;
        };
    }

    /// Clients read exit codes out of these words: "executable file not found", "permission denied" and so on.
    private static EngineException told(Exception why) {
        return switch (why) {
            case ContainerFailure failure -> {
                String message = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
                        + "unable to start container process: " + failure.getMessage() + ": unknown";
                yield switch (failure.kind()) {
                    case NOT_FOUND, NOT_EXECUTABLE -> new InvalidRequest(message);
                    case NO_SUCH_PROCESS, SETUP -> new SystemFailure(message, failure);
                };
            }
            case EngineException known -> known;
            default -> new SystemFailure(why.getMessage() == null ? why.toString() : why.getMessage(), why);
        };
    }

    /// Frees what a container that ended held, but its record: network, bundle, mount. Goes on when a step fails.
    void tearDown(ContainerId id) {
        Deque<Step> steps = new ArrayDeque<>();
        steps.push(() -> {
            Optional<ContainerLayer> layer = layers.containerLayer(id.hex());
            if (layer.isPresent()) layer.get().unmount();
        });
        steps.push(() -> deleteBundle(id));
        steps.push(() -> networking.release(id));
        store.get(id.hex()).ifPresent(container -> steps.push(() -> volumes.unmount(container.record())));
        undo(id, steps);
    }

    /// The mounted root of a container that runs.
    Path rootOf(ContainerId id) throws IOException {
        return layers.containerLayer(id.hex()).orElseThrow(() -> new IOException("no layer for container " + id)).mount();
    }
}
