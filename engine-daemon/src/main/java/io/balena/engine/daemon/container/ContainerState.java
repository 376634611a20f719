package io.balena.engine.daemon.container;

import java.time.Instant;

/// Where a container is in its life. Each state carries only what is true in it.
sealed interface ContainerState {
    /// What Docker's clients are shown for "never".
    String NEVER = "0001-01-01T00:00:00Z";

    /// Never ran; perhaps a start was tried.
    ///
    /// @param exitCode 127 or 126 when the program could not be executed, 128 when the container could not be set up; else 0
    /// @param error why it could not be started; else empty
    record Created(int exitCode, String error) implements ContainerState {}

    /// @param pid of its first process in the host's pid namespace
    record Running(int pid, Instant since) implements ContainerState {}

    record Paused(Running frozen) implements ContainerState {}

    /// Ended, and about to be started again by its restart policy.
    record Restarting(Exited last) implements ContainerState {}

    /// @param error why the last start failed, or its exit code is not known; else empty
    record Exited(int code, boolean oomKilled, Instant since, Instant at, String error) implements ContainerState {
        /// The error of one that ended while nobody watched; its code is Docker's 255 then.
        static final String UNKNOWN_CODE = "the container ended while its shim was gone: its exit code is not known";
    }

    /// Being removed, or meant to be: a removal that failed can be tried again.
    record Removing(int exitCode) implements ContainerState {}

    static ContainerState created() {
        return new Created(0, "");
    }

    /// Docker's word for it.
    default String word() {
        return switch (this) {
            case Created _ -> "created";
            case Running _ -> "running";
            case Paused _ -> "paused";
            case Restarting _ -> "restarting";
            case Exited _ -> "exited";
            case Removing _ -> "removing";
        };
    }

    /// Whether there is a process.
    default boolean isAlive() {
        return this instanceof Running || this instanceof Paused;
    }

    /// 0 when there is no process.
    default int pid() {
        return switch (this) {
            case Running running -> running.pid();
            case Paused paused -> paused.frozen().pid();
            default -> 0;
        };
    }

    default int exitCode() {
        return switch (this) {
            case Created created -> created.exitCode();
            case Running _, Paused _ -> 0;
            case Restarting restarting -> restarting.last().code();
            case Exited exited -> exited.code();
            case Removing removing -> removing.exitCode();
        };
    }
}
