package io.balena.engine.daemon.container.log;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.concurrent.CompletableFuture;

/// The log of one container, wherever it is kept.
public interface ContainerLog {
    /// Takes the entries that were asked for, oldest first.
    @FunctionalInterface
    interface Sink {
        void accept(LogEntry entry) throws IOException;
    }

    /// Sends on what was written so far.
    @FunctionalInterface
    interface Flush {
        void flush() throws IOException;
    }

    /// Hands over what `query` asks for.
    ///
    /// @param caughtUp called once all that was there has been handed over, before a follower begins to wait
    /// @param ended completes when the container has ended and all it wrote is in the log; ends following
    /// @throws InterruptedIOException when the thread is interrupted, because the client left
    void read(LogQuery query, CompletableFuture<?> ended, Flush caughtUp, Sink sink) throws IOException;
}
