package io.balena.engine.runtime;

import io.balena.engine.linux.Fd;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/// The OCI runtime: makes container processes out of bundles. Knows nothing of pipes' other ends, logs or daemons.
///
/// The process that calls is the parent of what it makes and reaps it.
final class OciRuntime {
    /// @param stateRoot one folder per container with its `state.json`; on a tmpfs, since no container survives a reboot
    OciRuntime(Path stateRoot) {
        throw new UnsupportedOperationException();
    }

    /// Sets a container up to the point before its program starts.
    ContainerProcess create(String id, Path bundle, StandardStreams streams) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Lets a created container run its program; returns when execve(2) has succeeded.
    void start(String id) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Runs a further program in a running container; returns when execve(2) has succeeded.
    ContainerProcess exec(String id, byte[] processJson, StandardStreams streams) throws IOException {
        throw new UnsupportedOperationException();
    }

    void pause(String id) throws IOException {
        throw new UnsupportedOperationException();
    }

    void resume(String id) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Ends whatever is left in the container's cgroups and removes cgroups and state. Does nothing for an unknown id.
    void delete(String id) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// Containers of `stateRoot` whose first process still lives, made by an earlier shim.
    Map<String, ContainerProcess> recover() throws IOException {
        throw new UnsupportedOperationException();
    }

    /// A descriptor that becomes readable when the OOM killer strikes in the container (cgroup v1: an eventfd; v2: an inotify on
    /// `memory.events`); empty where there is no memory controller.
    Optional<Fd> watchOutOfMemory(String id) throws IOException {
        throw new UnsupportedOperationException();
    }

    /// How often it struck so far.
    long outOfMemoryKills(String id) throws IOException {
        throw new UnsupportedOperationException();
    }
}
