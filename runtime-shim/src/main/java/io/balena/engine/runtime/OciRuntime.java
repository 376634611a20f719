package io.balena.engine.runtime;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.SyscallProgram;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/// The OCI runtime: makes container processes out of bundles. Knows nothing of pipes' other ends, logs or daemons.
///
/// The process that calls is the parent of what it makes and reaps it.
final class OciRuntime {
    private final Path stateRoot;
    private final HostFacts host;
    private final Hierarchies hierarchies;
    private final Map<String, Container> containers = new ConcurrentHashMap<>();

    /// @param stateRoot one folder per container with its `state.json`; on a tmpfs, since no container survives a reboot
    OciRuntime(Path stateRoot) {
        this.stateRoot = stateRoot;
        try {
            this.host = HostFacts.read();
            this.hierarchies = Hierarchies.read();
            // A child that is being set up shares our memory: nobody in a container may look into it (CVE-2016-9962).
            SyscallProgram.protectMemory();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /// Sets a container up to the point before its program starts.
    ContainerProcess create(String id, Path bundle, StandardStreams streams) throws IOException {
        StateFile.reserve(stateRoot, id);
        Container container = null;
        try {
            var spec = SpecReader.spec(readConfig(bundle));
            container = new Container(
                    id, bundle.toAbsolutePath(), stateRoot.resolve(id), cgroup(id, spec), hierarchies, host);
            var process = container.create(spec, streams);
            new StateFile(id, container.process(), container.bundle(), container.cgroupPath()).write(stateRoot);
            containers.put(id, container);
            return process;
        } catch (IOException | RuntimeException e) {
            try {
                if (container != null) container.undo();
                StateFile.remove(stateRoot, id);
            } catch (IOException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    private static byte[] readConfig(Path bundle) throws IOException {
        try {
            return Files.readAllBytes(bundle.resolve("config.json"));
        } catch (NoSuchFileException _) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "JSON specification file config.json not found");
        }
    }

    static String cgroup(String id, RuntimeSpec spec) {
        String path = spec.linux() == null ? null : spec.linux().cgroupsPath();
        return path == null || path.isEmpty() ? "/" + id : path;
    }

    /// Lets a created container run its program; returns when execve(2) has succeeded.
    void start(String id) throws IOException {
        container(id).start();
    }

    /// Runs a further program in a running container; returns when execve(2) has succeeded.
    ContainerProcess exec(String id, byte[] processJson, StandardStreams streams) throws IOException {
        return container(id).exec(SpecReader.process(processJson), streams);
    }

    void pause(String id) throws IOException {
        container(id).cgroup().freeze(true);
    }

    void resume(String id) throws IOException {
        container(id).cgroup().freeze(false);
    }

    /// Changes the limits of a running container; see [Cgroup#update].
    void update(String id, RuntimeSpec.Resources resources) throws IOException {
        container(id).cgroup().update(resources);
    }

    CgroupStats stats(String id) throws IOException {
        return container(id).cgroup().stats();
    }

    /// Ends whatever is left in the container's cgroups and removes cgroups and state. Does nothing for an unknown id.
    void delete(String id) throws IOException {
        Optional<Container> known = find(id);
        if (known.isPresent()) {
            known.get().delete();
            containers.remove(id);
        }
        StateFile.remove(stateRoot, id);
    }

    /// Ends what is left of a container whose first process has ended. Only a pid namespace of its own makes the kernel do so.
    void killAll(String id) throws IOException {
        container(id).cgroup().kill();
    }

    /// Containers of `stateRoot` whose first process still lives, made by an earlier shim.
    Map<String, ContainerProcess> recover() throws IOException {
        Map<String, ContainerProcess> living = new HashMap<>();
        for (String id : StateFile.ids(stateRoot)) {
            Optional<Container> container = find(id);
            if (container.isEmpty()) continue;
            Optional<PidFd> process = container.get().process().open();
            if (process.isPresent()) living.put(id, new ContainerProcess(process.get(), Optional.empty()));
        }
        return living;
    }

    /// A descriptor that becomes readable when the OOM killer strikes in the container (cgroup v1: an eventfd; v2: an inotify on
    /// `memory.events`); empty where there is no memory controller.
    Optional<Fd> watchOutOfMemory(String id) throws IOException {
        return container(id).cgroup().watchOutOfMemory();
    }

    /// How often it struck so far.
    long outOfMemoryKills(String id) throws IOException {
        return container(id).cgroup().outOfMemoryKills();
    }

    private Container container(String id) throws IOException {
        return find(id).orElseThrow(() -> new ContainerFailure(
                ContainerFailure.Kind.NO_SUCH_PROCESS, "container \"" + id + "\" does not exist"));
    }

    private Optional<Container> find(String id) throws IOException {
        Container known = containers.get(id);
        if (known != null) return Optional.of(known);
        Optional<StateFile> state = StateFile.read(stateRoot, id);
        if (state.isEmpty()) return Optional.empty();
        var found = Container.found(state.get(), stateRoot.resolve(id), hierarchies, host);
        Container other = containers.putIfAbsent(id, found);
        return Optional.of(other == null ? found : other);
    }
}
