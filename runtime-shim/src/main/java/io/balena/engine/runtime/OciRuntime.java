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

/// The OCI runtime of the shim itself: no other program is run.
final class OciRuntime implements ContainerRuntime {
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

    @Override
    public ContainerProcess create(String id, Path bundle, StandardStreams streams) throws IOException {
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

    static byte[] readConfig(Path bundle) throws IOException {
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

    /// Returns when execve(2) has succeeded.
    @Override
    public void start(String id) throws IOException {
        container(id).start();
    }

    @Override
    public ContainerProcess exec(String id, byte[] processJson, StandardStreams streams) throws IOException {
        return container(id).exec(SpecReader.process(processJson), streams);
    }

    @Override
    public void pause(String id) throws IOException {
        container(id).cgroup().freeze(true);
    }

    @Override
    public void resume(String id) throws IOException {
        container(id).cgroup().freeze(false);
    }

    @Override
    public void update(String id, RuntimeSpec.Resources resources) throws IOException {
        container(id).cgroup().update(resources);
    }

    CgroupStats stats(String id) throws IOException {
        return container(id).cgroup().stats();
    }

    @Override
    public void delete(String id) throws IOException {
        Optional<Container> known = find(id);
        if (known.isPresent()) {
            known.get().delete();
            containers.remove(id);
        }
        StateFile.remove(stateRoot, id);
    }

    @Override
    public void killAll(String id) throws IOException {
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

    @Override
    public Optional<Fd> watchOutOfMemory(String id) throws IOException {
        return container(id).cgroup().watchOutOfMemory();
    }

    @Override
    public long outOfMemoryKills(String id) throws IOException {
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
