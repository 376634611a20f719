package io.balena.engine.graphdriver;

import java.io.IOException;

/// Runs what has to be finished once begun. Java's file channels fail on a thread that was interrupted, as one is whose client
/// went away; cleaning up after it must not.
final class Uninterrupted {
    private Uninterrupted() {}

    interface Action<T> {
        T run() throws IOException;
    }

    static <T> T run(Action<T> action) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            return action.run();
        } finally {
            if (interrupted) Thread.currentThread().interrupt();
        }
    }
}
