package io.balena.engine.runtime.cgroup;

import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.SpecReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/// The control groups of a container that runs, for those who only look.
///
/// Where they lie is what the container's bundle says: an engine that was restarted with other flags would say something else, and
/// `/proc/<pid>/cgroup` names a group further below once the container has made groups of its own.
public final class ContainerCgroup {
    private static final class Machine {
        private static final Hierarchies HIERARCHIES = read();

        private static Hierarchies read() {
            try {
                return Hierarchies.read();
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }
    }

    private final Cgroup cgroup;

    private ContainerCgroup(Cgroup cgroup) {
        this.cgroup = cgroup;
    }

    /// @param containerId also its group's name where the bundle names none
    /// @throws NoSuchFileException when there is no bundle: the container has ended
    public static ContainerCgroup of(String containerId, Path bundle) throws IOException {
        RuntimeSpec spec = SpecReader.spec(Files.readAllBytes(bundle.resolve("config.json")));
        return new ContainerCgroup(Cgroup.at(Machine.HIERARCHIES, Cgroup.path(containerId, spec)));
    }

    /// Whether this machine has cgroup version 2 alone.
    public static boolean isUnified() {
        return Machine.HIERARCHIES.v1().isEmpty();
    }

    public CgroupStats stats() throws IOException {
        return cgroup.stats();
    }

    /// Pids in our pid namespace of all its processes, those in groups it made included.
    public List<Integer> processes() throws IOException {
        return cgroup.members();
    }
}
