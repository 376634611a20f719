package io.balena.engine.cli;

/// A command ends here: with this exit status, and this message unless everything was said already.
final class CommandFailed extends RuntimeException {
    private final int exitStatus;

    CommandFailed(int exitStatus, String message) {
        super(message);
        this.exitStatus = exitStatus;
    }

    int exitStatus() {
        return exitStatus;
    }
}
