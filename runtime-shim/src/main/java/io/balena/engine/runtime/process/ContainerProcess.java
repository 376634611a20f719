package io.balena.engine.runtime.process;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.PidFd;
import java.util.Optional;

/// A process the runtime made or found again.
///
/// @param terminal master of its pty, when it has a terminal and this runtime made it
public record ContainerProcess(PidFd pidFd, Optional<Fd> terminal) {}
