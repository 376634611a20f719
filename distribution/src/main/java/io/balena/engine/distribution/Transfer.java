package io.balena.engine.distribution;

import java.util.concurrent.CompletableFuture;

/// One layer on its way, for all who want it.
interface Transfer<L extends TransferListener> {
    /// For the thread that does the work.
    String threadName();

    Listeners<L> listeners();

    /// Whoever asks for the same again is given another transfer.
    boolean isOver();

    /// Does the work, on the caller's thread; keeps the outcome, good or bad, to itself.
    void run();

    /// Called after [#run()] when the next may already work.
    default void finish() {}

    /// Nobody wants it any more. What is running stops; the future [#ended()] tells when.
    ///
    /// @param started whether [#run()] was or will be called
    void cancel(boolean started);

    /// Nothing of it is running any more.
    CompletableFuture<Void> ended();
}
