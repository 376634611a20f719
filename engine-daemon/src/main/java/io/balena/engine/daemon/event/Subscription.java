package io.balena.engine.daemon.event;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/// One listener's queue of events. Close it when done.
public final class Subscription implements AutoCloseable {
    /// Events a listener may lag behind.
    static final int CAPACITY = 1024;

    private final Events events;
    private final Predicate<Event> wanted;
    private final ArrayDeque<Event> queue;
    private boolean overrun;
    private boolean closed;

    Subscription(Events events, List<Event> past, Predicate<Event> wanted) {
        this.events = events;
        this.wanted = wanted;
        this.queue = new ArrayDeque<>(past);
    }

    /// Waits for the next event.
    ///
    /// @param patience empty to wait for ever
    /// @return empty when `patience` ran out
    /// @throws LaggardException when events were lost because this listener took them too slowly
    public synchronized Optional<Event> next(Optional<Duration> patience) throws InterruptedException {
        long deadline = patience.map(p -> System.nanoTime() + p.toNanos()).orElse(0L);
        while (queue.isEmpty()) {
            if (overrun) throw new LaggardException();
            if (closed) return Optional.empty();
            if (patience.isEmpty()) {
                wait();
                continue;
            }
            long left = deadline - System.nanoTime();
            if (left <= 0) return Optional.empty();
            wait(left / 1_000_000, (int) (left % 1_000_000));
        }
        return Optional.of(queue.removeFirst());
    }

    /// @return false when this listener lags too far behind, and is not to be offered anything more
    synchronized boolean offer(Event event) {
        if (!wanted.test(event)) return true;
        if (queue.size() >= CAPACITY) {
            overrun = true;
            return false;
        }
        queue.addLast(event);
        notifyAll();
        return true;
    }

    @Override
    public void close() {
        events.forget(this);
        synchronized (this) {
            closed = true;
            notifyAll();
        }
    }

    /// The listener lost events; it should begin anew.
    public static final class LaggardException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        LaggardException() {
            super("events were produced faster than they were read");
        }
    }
}
