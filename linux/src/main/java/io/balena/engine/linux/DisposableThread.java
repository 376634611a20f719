package io.balena.engine.linux;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

/// Threads that join other namespaces, and are never used again.
final class DisposableThread {
    private DisposableThread() {}

    /// Runs `work` on a thread that dies afterwards.
    ///
    /// It is waited for even when the caller is interrupted: what was begun in the kernel is short, and half of it helps nobody.
    static <T> T call(String name, Callable<T> work) throws IOException {
        try {
            return await(AlteredThread.start(name, () -> {}, work));
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException io -> throw io;
                case RuntimeException runtime -> throw runtime;
                case Error error -> throw error;
                default -> throw new IOException(name + ": " + e.getCause().getMessage(), e.getCause());
            }
        }
    }

    private static <T> T await(AlteredThread<T> task) throws ExecutionException {
        boolean interrupted = false;
        try {
            for (;;) {
                try {
                    return task.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) Thread.currentThread().interrupt();
        }
    }
}
