package io.balena.engine.runtime.container;

import io.balena.engine.linux.Fd;
import io.balena.engine.runtime.process.ContainerProcess;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/// Makes container processes out of bundles, and takes containers down again. Knows nothing of pipes' other ends, logs or daemons.
///
/// The process that calls becomes the parent of what is made, and reaps it.
public interface ContainerRuntime {
    /// Sets a container up to the point before its program starts.
    ContainerProcess create(String id, Path bundle, StandardStreams streams) throws IOException;

    /// Lets a created container run its program.
    void start(String id) throws IOException;

    /// Runs a further program in a running container; returns when it runs.
    ContainerProcess exec(String id, byte[] processJson, StandardStreams streams) throws IOException;

    void pause(String id) throws IOException;

    void resume(String id) throws IOException;

    /// Changes the limits of a running container; see `Cgroup.update`.
    void update(String id, RuntimeSpec.Resources resources) throws IOException;

    /// Ends what is left of a container whose first process has ended. Only a pid namespace of its own makes the kernel do so.
    void killAll(String id) throws IOException;

    /// Ends whatever is left of the container and removes its cgroups and state. Does nothing for an unknown id.
    void delete(String id) throws IOException;

    /// A descriptor that becomes readable when the OOM killer strikes in the container (cgroup v1: an eventfd; v2: an inotify on
    /// `memory.events`); empty where there is no memory controller.
    Optional<Fd> watchOutOfMemory(String id) throws IOException;

    /// How often it struck so far.
    long outOfMemoryKills(String id) throws IOException;
}
