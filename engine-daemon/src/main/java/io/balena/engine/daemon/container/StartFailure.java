package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.runtime.ContainerFailure;
import java.util.Locale;

/// A start that failed, as Docker tells of it.
///
/// @param told to the client
/// @param exitCode that the container has from it
record StartFailure(EngineException told, int exitCode) {
    private static final String MISMATCH = ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path "
            + "exists and is the expected type";

    static StartFailure of(Exception why, ContainerState before) {
        return new StartFailure(told(why), exitCode(why, before));
    }

    /// What failed before there was a process leaves the code of the last one, as long as that tells of a failure.
    private static int exitCode(Exception why, ContainerState before) {
        if (!(why instanceof ContainerFailure failure)) return before.exitCode() == 0 ? 128 : before.exitCode();
        if (isAboutAFolder(failure)) return 127;
        return switch (failure.kind()) {
            case NOT_FOUND -> 127;
            case NOT_EXECUTABLE -> 126;
            case NO_SUCH_PROCESS, LOGGING, SETUP -> 128;
        };
    }

    private static boolean isAboutAFolder(ContainerFailure failure) {
        return failure.getMessage().toLowerCase(Locale.ROOT).contains("not a directory");
    }

    /// Clients read exit codes out of these words: "executable file not found", "permission denied" and so on.
    private static EngineException told(Exception why) {
        return switch (why) {
            case ContainerFailure failure -> {
                if (failure.kind() == ContainerFailure.Kind.LOGGING) yield new SystemFailure(failure.getMessage(), failure);
                yield told("failed to create task for container: failed to create shim task: OCI runtime create failed: ", failure);
            }
            case EngineException known -> known;
            default -> new SystemFailure(why.getMessage() == null ? why.toString() : why.getMessage(), why);
        };
    }

    /// Why a program does not run.
    ///
    /// @param attempt what Docker says before what the runtime says
    static EngineException told(String attempt, ContainerFailure failure) {
        String message = attempt + (failure.isOfOtherRuntime() ? "" : "unable to start container process: ") + failure.getMessage() + ": unknown";
        if (isAboutAFolder(failure)) return new InvalidRequest(message + MISMATCH);
        return switch (failure.kind()) {
            case NOT_FOUND, NOT_EXECUTABLE -> new InvalidRequest(message);
            case NO_SUCH_PROCESS, LOGGING, SETUP -> new SystemFailure(message, failure);
        };
    }
}
