package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;

/// Every wait of a transfer goes through here, so that it ends when nobody wants the result any more: because somebody said so from
/// another thread, or because the waiting thread was interrupted.
final class Cancellation {
    private final CompletableFuture<Void> cancelled = new CompletableFuture<>();

    void cancel() {
        cancelled.complete(null);
    }

    boolean isCancelled() {
        return cancelled.isDone();
    }

    void check() throws InterruptedIOException {
        if (isCancelled()) throw interrupted();
    }

    /// Runs `action` once it is cancelled, or now when it already is.
    void onCancel(Runnable action) {
        cancelled.thenRun(action);
    }

    /// Waits for `result`, which is cancelled when this is, or when it takes too long.
    ///
    /// @throws InterruptedIOException when cancelled or interrupted
    /// @throws IOException what `result` failed with
    <T> T await(CompletableFuture<T> result, Duration longest) throws IOException {
        long begun = System.nanoTime();
        return await(result, longest, () -> begun);
    }

    /// The same, for as long as there are signs of life.
    ///
    /// @param lastSignNanos when there was one, as [System#nanoTime] told it
    <T> T await(CompletableFuture<T> result, Duration longestSilence, LongSupplier lastSignNanos) throws IOException {
        try {
            while (true) {
                long left = longestSilence.toNanos() - (System.nanoTime() - lastSignNanos.getAsLong());
                try {
                    CompletableFuture.anyOf(result, cancelled).get(Math.max(0, left), TimeUnit.NANOSECONDS);
                    check();
                    return result.get();
                } catch (TimeoutException e) {
                    if (left <= 0) throw e;
                }
            }
        } catch (InterruptedException e) {
            throw interrupted();
        } catch (TimeoutException e) {
            throw new HttpTimeoutException("request timed out");
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException io) throw io;
            if (e.getCause() instanceof RuntimeException runtime) throw runtime;
            throw new IOException(e.getCause());
        } finally {
            if (!result.isDone()) result.cancel(true);
        }
    }

    void sleep(Duration time) throws InterruptedIOException {
        try {
            cancelled.get(time.toMillis(), TimeUnit.MILLISECONDS);
            throw interrupted();
        } catch (TimeoutException e) {
            // Slept as long as was asked for.
        } catch (InterruptedException e) {
            throw interrupted();
        } catch (ExecutionException e) {
            throw new AssertionError("it is only ever completed", e);
        }
    }

    private static InterruptedIOException interrupted() {
        return new InterruptedIOException("the client has left");
    }
}
