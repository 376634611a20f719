package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.ContainerStore.Durability;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.daemon.container.spec.ContainerRoot;
import io.balena.engine.daemon.container.spec.DeviceRequests;
import io.balena.engine.daemon.container.spec.SpecBuilder;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.network.Endpoint;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.RuntimeSpec;
import io.balena.engine.runtime.Shim;
import io.balena.engine.runtime.Stdio;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Brings a container to life. A failure at any step undoes those before it.
///
/// `Running` is recorded before the program runs: were it the other way round, a power cut could leave a program that has run, and
/// done something, in a container that "was never started", and a client would run it again.
final class Start {
    private static final Logger LOG = System.getLogger(Start.class.getName());
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String MISMATCH = ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path "
            + "exists and is the expected type";

    private final ContainerStore store;
    private final LayerStore layers;
    private final ContainerVolumes volumes;
    private final Networking networking;
    private final EtcFiles etc;
    private final SharedMemory memory;
    private final NamespaceDonors donors;
    private final ContainerEvents events;
    private final HealthMonitor health;
    private final Shim shim;
    private final Path bundles;
    private final SpecBuilder specs;
    private final Runtimes runtimes;
    private final DeviceRequests devices;
    private final SubpathMounts subpaths;
    private final IdentityMapping owners;

    /// @param bundles folder on a tmpfs
    Start(ContainerStore store, LayerStore layers, ContainerVolumes volumes, Networking networking, EtcFiles etc,
            SharedMemory memory, NamespaceDonors donors, ContainerEvents events, HealthMonitor health, Shim shim, Path bundles,
            SpecBuilder specs, Runtimes runtimes, DeviceRequests devices, SubpathMounts subpaths, IdentityMapping owners) {
        this.store = store;
        this.layers = layers;
        this.volumes = volumes;
        this.networking = networking;
        this.etc = etc;
        this.memory = memory;
        this.donors = donors;
        this.events = events;
        this.health = health;
        this.shim = shim;
        this.bundles = bundles;
        this.specs = specs;
        this.runtimes = runtimes;
        this.devices = devices;
        this.subpaths = subpaths;
        this.owners = owners;
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
        ContainerRecord record = donors.named(container.record());
        String id = record.id().hex();
        Optional<RuntimeCommand> runtime = runtimes.forStart(record.host().runtime());
        ContainerLayer layer = layers.containerLayer(id)
                .orElseThrow(() -> new SystemFailure("the writable layer of container " + id + " is missing", null));
        Path rootfs = layer.mount();
        done.push(layer::unmount);
        // Before a root that is read-only to the container can refuse it.
        if (!record.config().workingDirectory().isEmpty()) makeWorkingDirectory(new ContainerRoot(rootfs), record.config().workingDirectory());
        Optional<Endpoint> endpoint = networking.allocate(record);
        if (endpoint.isPresent()) done.push(() -> networking.release(record.id()));
        Map<String, Path> files = etcFiles(record, endpoint);
        done.push(() -> volumes.unmount(record));
        volumes.mount(record);
        BindSources.prepare(record.mounts(), owners);
        if (memory.provide(record)) done.push(() -> memory.remove(record.id()));
        done.push(() -> subpaths.unmount(record.id()));
        List<MountPoint> mounts = subpaths.mount(record.id(), record.mounts());
        Path bundle = writeBundle(record, new SpecBuilder.Surroundings(id, rootfs, files, mounts, donors.of(record)), runtime.isPresent());
        done.push(() -> deleteBundle(record.id()));
        Optional<Stdio.Log> log = log(record);
        if (container.unacknowledged) {
            new Disposal(shim).of(id);
            container.unacknowledged = false;
        }
        // Also when its creation fails: the shim may have died in the middle of it.
        done.push(() -> new Disposal(shim).of(id));
        int pid = shim.create(id, bundle, new Stdio(record.config().openStdin(), record.config().stdinOnce(), log), runtime);
        NetworkSettings network = record.network();
        if (endpoint.isPresent()) {
            networking.attach(record, endpoint.get(), pid);
            network = network.connected("bridge", endpoint.get(), Networking.exposed(record));
            events.network(record, "connect", "bridge");
        }
        store.save(container, record.with(new ContainerState.Running(pid, Instant.now())).with(network).wasStarted(), durability(record));
    }

    private void makeWorkingDirectory(ContainerRoot root, String path) throws IOException {
        try {
            root.makeDirectory(path, owners);
        } catch (FileAlreadyExistsException e) {
            throw new InvalidRequest("Cannot mkdir: " + path + " is not a directory");
        } catch (FileSystemException e) {
            if (!"Not a directory".equals(e.getReason())) throw e;
            throw new SystemFailure("lstat " + e.getFile() + ": not a directory", e);
        }
    }

    private Optional<Stdio.Log> log(ContainerRecord record) {
        try {
            return LogSettings.of(record, store.folder(record.id()));
        } catch (IllegalArgumentException e) {
            throw new SystemFailure("failed to initialize logging driver: " + e.getMessage(), null);
        }
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

    private Path writeBundle(ContainerRecord record, SpecBuilder.Surroundings around, boolean forOthers) throws IOException {
        RuntimeSpec spec = devices.addTo(specs.build(record.config(), record.host(), around), record.host());
        specs.prepareGroups(spec);
        Path bundle = bundles.resolve(record.id().hex());
        Files.createDirectories(bundle);
        Files.write(bundle.resolve("config.json"), JSON.writeValueAsBytes(forOthers ? spec.asOldest() : spec));
        return bundle;
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
        int code = exitCode(why, before.state());
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

    /// What failed before there was a process leaves the code of the last one, as long as that tells of a failure.
    private static int exitCode(Exception why, ContainerState before) {
        if (!(why instanceof ContainerFailure failure)) return before.exitCode() == 0 ? 128 : before.exitCode();
        if (isAboutAFolder(failure)) return 127;
        return switch (failure.kind()) {
            case NOT_FOUND -> 127;
            case NOT_EXECUTABLE -> 126;
            case NO_SUCH_PROCESS, LOGGING, SETUP -> 128;
        };
    }

    private static boolean isAboutAFolder(ContainerFailure failure) {
        return failure.kind() == ContainerFailure.Kind.SETUP && failure.getMessage().toLowerCase(Locale.ROOT).contains("not a directory");
    }

    /// Clients read exit codes out of these words: "executable file not found", "permission denied" and so on.
    private static EngineException told(Exception why) {
        return switch (why) {
            case ContainerFailure failure -> {
                String message = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
                        + (failure.isOfOtherRuntime() ? "" : "unable to start container process: ") + failure.getMessage() + ": unknown";
                if (isAboutAFolder(failure)) yield new InvalidRequest(message + MISMATCH);
                yield switch (failure.kind()) {
                    case NOT_FOUND, NOT_EXECUTABLE -> new InvalidRequest(message);
                    case LOGGING -> new SystemFailure(failure.getMessage(), failure);
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
        steps.push(() -> subpaths.unmount(id));
        steps.push(() -> networking.release(id));
        steps.push(() -> memory.remove(id));
        store.get(id.hex()).ifPresent(container -> steps.push(() -> volumes.unmount(container.record())));
        undo(id, steps);
    }

    /// The mounted root of a container that runs.
    Path rootOf(ContainerId id) throws IOException {
        return layers.containerLayer(id.hex()).orElseThrow(() -> new IOException("no layer for container " + id)).mount();
    }
}
