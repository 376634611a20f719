package io.balena.engine.distribution;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/// Transfers that several clients may want at once: they share one, and leave it one by one. A few run at a time, first come first served.
///
/// @param <K> what makes two transfers the same
final class SharedTransfers<K, T extends Transfer<L>, L extends TransferListener> {
    private final Map<K, Shared<K, T>> wanted = new HashMap<>();
    private final Deque<Shared<K, T>> queue = new ArrayDeque<>();
    private int atOnce;
    private int running;

    SharedTransfers(int atOnce) {
        this.atOnce = atOnce;
    }

    /// For those that begin from now on.
    synchronized void limit(int nextAtOnce) {
        atOnce = nextAtOnce;
    }

    /// Joins the transfer with this key, or begins it.
    Seat join(K key, Supplier<T> beginning, L listener) {
        Seat seat;
        boolean waits;
        synchronized (this) {
            Shared<K, T> shared = wanted.get(key);
            if (shared == null || shared.transfer.isOver()) {
                shared = new Shared<>(key, beginning.get());
                wanted.put(key, shared);
                queue.add(shared);
            }
            shared.transfer.listeners().add(listener);
            seat = new Seat(shared, Optional.of(listener));
            startNext();
            waits = !shared.started;
        }
        if (waits) listener.waiting();
        return seat;
    }

    private synchronized void startNext() {
        while (running < atOnce && !queue.isEmpty()) {
            Shared<K, T> next = queue.remove();
            next.started = true;
            running++;
            Thread.ofPlatform().name(next.transfer.threadName()).daemon().start(() -> run(next.transfer));
        }
    }

    private void run(T transfer) {
        try {
            transfer.run();
        } finally {
            synchronized (this) {
                running--;
                startNext();
            }
        }
        transfer.finish();
    }

    private static final class Shared<K, T> {
        private final K key;
        private final T transfer;
        private boolean started;
        private int seats;

        Shared(K key, T transfer) {
            this.key = key;
            this.transfer = transfer;
        }
    }

    /// One client's interest in a transfer.
    final class Seat {
        private final Shared<K, T> shared;
        private final Optional<L> listener;
        private boolean left;

        private Seat(Shared<K, T> shared, Optional<L> listener) {
            this.shared = shared;
            this.listener = listener;
            synchronized (SharedTransfers.this) {
                shared.seats++;
            }
        }

        /// Another interest in the same transfer, that hears nothing of it.
        Seat another() {
            return new Seat(shared, Optional.empty());
        }

        T transfer() {
            return shared.transfer;
        }

        /// Ends this interest. With the last one the transfer ends.
        ///
        /// @return done when nothing that nobody wants is running any more
        CompletableFuture<Void> leave() {
            boolean started;
            boolean last;
            synchronized (SharedTransfers.this) {
                if (left) return CompletableFuture.completedFuture(null);
                left = true;
                listener.ifPresent(shared.transfer.listeners()::remove);
                if (--shared.seats > 0) return CompletableFuture.completedFuture(null);
                wanted.remove(shared.key, shared);
                queue.remove(shared);
                started = shared.started;
                last = wanted.isEmpty();
            }
            shared.transfer.cancel(started);
            return last ? shared.transfer.ended().thenRun(Leftovers::collect) : shared.transfer.ended();
        }
    }
}
