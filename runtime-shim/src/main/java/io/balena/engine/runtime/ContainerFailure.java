package io.balena.engine.runtime;

import java.io.IOException;

/// A container or process could not be set up or started. The message is what runc prints, so that Docker's wording can be built
/// from it.
public final class ContainerFailure extends IOException {
    private static final long serialVersionUID = 1L;

    /// Docker maps these to the exit codes 127, 126 and 125 (and 128 for a failed start).
    public enum Kind {
        /// `exec: "foo": executable file not found in $PATH` or no such file
        NOT_FOUND,
        /// `exec: "/etc": permission denied`, or not an executable
        NOT_EXECUTABLE,
        /// no such container or process in this state
        NO_SUCH_PROCESS,
        /// its output could not be recorded; the message is Docker's own
        LOGGING,
        /// anything else: mounts, cgroups, namespaces
        SETUP
    }

    private final Kind kind;
    private final boolean ofOtherRuntime;

    public ContainerFailure(Kind kind, String message) {
        this(kind, message, false);
    }

    public ContainerFailure(Kind kind, String message, boolean ofOtherRuntime) {
        super(message);
        this.kind = kind;
        this.ofOtherRuntime = ofOtherRuntime;
    }

    /// Whether another runtime has worded it, from its beginning: runc itself begins with what could not be done.
    public boolean isOfOtherRuntime() {
        return ofOtherRuntime;
    }

    public Kind kind() {
        return kind;
    }
}
