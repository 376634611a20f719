package io.balena.engine.runtime.process;

import io.balena.engine.linux.Fd;

/// What a new process finds at its descriptors 0, 1 and 2.
public sealed interface StandardStreams {
    /// The child's ends; the caller closes its own copies once the process was made.
    record Pipes(Fd stdin, Fd stdout, Fd stderr) implements StandardStreams {}

    /// A terminal of the container's own devpts, with this size if not 0. Its master is [ContainerProcess#terminal()].
    record Terminal(int rows, int columns) implements StandardStreams {}
}
