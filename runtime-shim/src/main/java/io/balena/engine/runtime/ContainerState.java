package io.balena.engine.runtime;

import java.time.Instant;

/// A container as the shim knows it. Each state carries only what is true in it.
///
/// @see <a href="https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#state">OCI runtime-spec, state</a>
public sealed interface ContainerState {
    /// Set up and waiting for `start`: namespaces and cgroups exist, the program does not run yet.
    record Created(int pid) implements ContainerState {}

    record Running(int pid, Instant since) implements ContainerState {}

    record Paused(int pid, Instant since) implements ContainerState {}

    /// Ended; kept until `delete`.
    record Stopped(ExitStatus status) implements ContainerState {}
}
