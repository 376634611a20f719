package io.balena.engine.runtime.container;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.cgroup.Cgroup;
import io.balena.engine.runtime.cgroup.CgroupStats;
import io.balena.engine.runtime.cgroup.Hierarchies;
import io.balena.engine.runtime.process.ContainerProcess;
import io.balena.engine.runtime.process.HostFacts;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.SpecReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;

/// The OCI runtime of the shim itself: no other program is run.
public final class OciRuntime implements ContainerRuntime {
    private final Path stateRoot;
    private final boolean systemd;
    private final HostFacts host;
    private final Hierarchies hierarchies;
    private final Map<String, Container> containers = new ConcurrentHashMap<>();

    public OciRuntime(Path stateRoot) {
        this(stateRoot, false);
    }

    /// @param stateRoot one folder per container with its `state.json`; on a tmpfs, since no container survives a reboot
    /// @param systemd whether control groups are to be made by systemd whatever a bundle says; else those are whose path names a scope
    public OciRuntime(Path stateRoot, boolean systemd) {
        this.stateRoot = stateRoot;
        this.systemd = systemd;
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
        return create(id, bundle, streams, Creation.OWNED);
    }

    public ContainerProcess create(String id, Path bundle, StandardStreams streams, Creation creation) throws IOException {
        StateFile.reserve(stateRoot, id);
        Container container = null;
        try {
            byte[] config = readConfig(bundle);
            var spec = SpecReader.spec(config);
            if (creation.named()) Files.write(stateRoot.resolve(id).resolve(StateFile.SPEC), config);
            container = new Container(
                    id, bundle.toAbsolutePath(), stateRoot.resolve(id), cgroup(id, spec), hierarchies, host);
            var process = container.create(spec, streams, creation);
            new StateFile(id, container.process(), container.bundle(), container.cgroupPath()).write(stateRoot);
            if (creation.named()) container.leave();
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

    private String cgroup(String id, RuntimeSpec spec) throws ContainerFailure {
        return systemd ? Cgroup.pathOfScope(id, spec) : Cgroup.path(id, spec);
    }

    public static byte[] readConfig(Path bundle) throws IOException {
        try {
            return Files.readAllBytes(bundle.resolve("config.json"));
        } catch (NoSuchFileException _) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "JSON specification file config.json not found");
        }
    }

    /// Returns when execve(2) has succeeded.
    @Override
    public void start(String id) throws IOException {
        container(id).start();
    }

    @Override
    public ContainerProcess exec(String id, byte[] processJson, StandardStreams streams) throws IOException {
        return container(id).exec(SpecReader.process(processJson), streams, 0);
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

    public CgroupStats stats(String id) throws IOException {
        return container(id).cgroup().stats();
    }

    @Override
    public void delete(String id) throws IOException {
        dispose(id);
    }

    /// As [#delete].
    ///
    /// @return what went wrong in a hook after its end, which changes nothing any more
    public Optional<ContainerFailure> dispose(String id) throws IOException {
        Optional<Container> known = find(id);
        Optional<ContainerFailure> warning = Optional.empty();
        if (known.isPresent()) {
            known.get().delete();
            containers.remove(id);
            warning = known.get().runStopHooks();
        }
        StateFile.remove(stateRoot, id);
        return warning;
    }

    @Override
    public void killAll(String id) throws IOException {
        container(id).cgroup().kill();
    }

    /// Containers of `stateRoot` whose first process still lives, made by an earlier shim.
    public Map<String, ContainerProcess> recover() throws IOException {
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

    /// As another process has left it.
    ///
    /// @throws ContainerFailure in runc's words
    public Container known(String id) throws IOException {
        return find(id).orElseThrow(() -> new ContainerFailure(ContainerFailure.Kind.NO_SUCH_PROCESS, "container does not exist"));
    }

    /// Removes what a creation that was killed has left of an id nothing is known of.
    ///
    /// @return false when there was nothing
    public boolean forget(String id) throws IOException {
        if (!StateFile.ids(stateRoot).contains(id)) return false;
        Path kept = stateRoot.resolve(id).resolve(StateFile.SPEC);
        if (Files.exists(kept)) {
            // Its process ends when the one that made it has; who is in the groups after that was there before.
            var cgroup = Cgroup.at(hierarchies, cgroup(id, SpecReader.spec(Files.readAllBytes(kept))));
            for (int attempt = 0; attempt < 200 && cgroup.hasMembers(); attempt++) LockSupport.parkNanos(10_000_000);
            if (!cgroup.hasMembers()) cgroup.destroy();
        }
        StateFile.remove(stateRoot, id);
        return true;
    }

    public Optional<Container> find(String id) throws IOException {
        StateFile.checkId(id);
        Container known = containers.get(id);
        if (known != null) return Optional.of(known);
        Optional<StateFile> state = StateFile.read(stateRoot, id);
        if (state.isEmpty()) return Optional.empty();
        var found = Container.found(state.get(), stateRoot.resolve(id), hierarchies, host);
        Container other = containers.putIfAbsent(id, found);
        return Optional.of(other == null ? found : other);
    }
}
