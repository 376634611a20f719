package io.balena.engine.distribution;

import java.io.IOException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/// Makes a change of state on a thread of its own and waits for it, whatever happens to the waiting thread.
///
/// Interrupting a thread, as is done when a client leaves, closes the file channel it is just writing to: the change would break off in
/// the middle, and so would the attempt to undo it.
final class Undisturbed {
    interface Change<T> {
        T make() throws IOException;
    }

    private Undisturbed() {}

    static <T> T run(Change<T> change) throws IOException {
        FutureTask<T> task = new FutureTask<>(change::make);
        Thread.ofPlatform().name("image-store").start(task);
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return task.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } catch (ExecutionException e) {
            throw rethrown(e.getCause());
        } finally {
            if (interrupted) Thread.currentThread().interrupt();
        }
    }

    static IOException rethrown(Throwable failure) {
        return switch (failure) {
            case RuntimeException unchecked -> throw unchecked;
            case Error error -> throw error;
            case IOException io -> io;
            default -> new IOException(failure);
        };
    }
}
