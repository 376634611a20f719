package io.balena.engine.runtime.loop;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.EventFd;
import io.balena.engine.linux.Fd;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/// The one thread that touches the shim's state: it waits for descriptors, moments and work from other threads.
public final class EventLoop implements AutoCloseable {
    /// Called on the loop's thread when its descriptor is ready. Level-triggered: what is not dealt with comes again.
    public interface Ready {
        /// @param events of [Epoll]
        void ready(int events);
    }

    private final Epoll epoll;
    private final EventFd wakeUp;
    private final Diagnostics diagnostics;
    private final ArrayDeque<Runnable> fromOutside = new ArrayDeque<>();
    private final List<Moment> moments = new ArrayList<>();
    // Index in this list is the lower half of the epoll token; the upper half tells a new tenant of a place from an old one,
    // of which an event may still be in the batch just received.
    private final List<Watch> watches = new ArrayList<>();
    private final ArrayDeque<Integer> free = new ArrayDeque<>();
    private int generation;
    private volatile boolean ended;
    private Runnable whenQuiet;
    private long quietMillis;
    private boolean awaitingQuiet;
    private boolean stirred;

    public EventLoop(Diagnostics diagnostics) throws ErrnoException {
        this.diagnostics = diagnostics;
        epoll = new Epoll();
        wakeUp = new EventFd();
        watch(wakeUp.fd(), this::runFromOutside).want(Epoll.READABLE);
    }

    /// A descriptor the loop knows of. It is waited for only once something is wanted.
    public final class Watch {
        private final Fd fd;
        private final Ready ready;
        private final int place;
        private final long token;
        private int wanted = -1;

        private Watch(Fd fd, Ready ready, int place) {
            this.fd = fd;
            this.ready = ready;
            this.place = place;
            this.token = (long) ++generation << 32 | place;
        }

        /// Waits for these events from now on, and for the end of the other side.
        public void want(int events) {
            if (wanted == events) return;
            try {
                if (wanted == -1) epoll.add(fd, events, token);
                else epoll.modify(fd, events, token);
                wanted = events;
            } catch (ErrnoException e) {
                diagnostics.error("cannot wait for " + fd, e);
            }
        }

        /// Waits for nothing, not even the other side's end, which epoll would report again and again.
        public void pause() {
            if (wanted == -1) return;
            wanted = -1;
            try {
                epoll.remove(fd);
            } catch (ErrnoException e) {
                diagnostics.error("cannot stop waiting for " + fd, e);
            }
        }

        /// To be called before the descriptor is closed.
        public void forget() {
            if (watches.get(place) != this) return;
            pause();
            watches.set(place, null);
            free.add(place);
        }
    }

    /// Has `task` run each time that nothing has happened for so many milliseconds. A loop that has nothing to do is not woken by it. For
    /// the loop's thread.
    public void whenQuiet(long millis, Runnable task) {
        quietMillis = millis;
        whenQuiet = task;
        awaitQuiet();
    }

    private void stir() {
        stirred = true;
        if (whenQuiet != null && !awaitingQuiet) awaitQuiet();
    }

    private void awaitQuiet() {
        awaitingQuiet = true;
        stirred = false;
        after(quietMillis, () -> {
            awaitingQuiet = false;
            if (stirred) awaitQuiet();
            else whenQuiet.run();
        });
    }

    private record Moment(long nanoTime, Runnable task) {}

    public Watch watch(Fd fd, Ready ready) {
        int place = free.isEmpty() ? watches.size() : free.poll();
        Watch watch = new Watch(fd, ready, place);
        if (place == watches.size()) watches.add(watch);
        else watches.set(place, watch);
        return watch;
    }

    /// Runs `task` on the loop's thread. For any thread.
    public void execute(Runnable task) {
        synchronized (fromOutside) {
            fromOutside.add(task);
        }
        wakeUp.signal();
    }

    /// Runs `task` once, after so many milliseconds. For the loop's thread.
    public void after(long millis, Runnable task) {
        moments.add(new Moment(System.nanoTime() + millis * 1_000_000, task));
    }

    /// Makes [#run()] return. For the loop's thread.
    public void end() {
        ended = true;
    }

    /// For any thread.
    public boolean hasEnded() {
        return ended;
    }

    public void run() throws ErrnoException {
        while (!ended) {
            int count = epoll.await(untilNextMoment());
            if (count > 0) stir();
            for (int i = 0; i < count; i++) dispatch(epoll.token(i), epoll.events(i));
            if (!moments.isEmpty()) runMoments();
        }
    }

    @Override
    public void close() {
        wakeUp.close();
        epoll.close();
    }

    private void dispatch(long token, int events) {
        Watch watch = watches.get((int) token);
        if (watch == null || watch.token != token) return;
        try {
            watch.ready.ready(events);
        } catch (RuntimeException | Error e) {
            // Whatever one descriptor brings, the others go on. It is no longer waited for, or it would bring it again at once.
            diagnostics.error("cannot handle " + watch.fd, e);
            watch.pause();
        }
    }

    private void runFromOutside(int events) {
        wakeUp.reset();
        while (true) {
            Runnable task;
            synchronized (fromOutside) {
                task = fromOutside.poll();
            }
            if (task == null) return;
            run(task);
        }
    }

    private int untilNextMoment() {
        if (moments.isEmpty()) return -1;
        long now = System.nanoTime();
        long least = Long.MAX_VALUE;
        for (int i = 0; i < moments.size(); i++) least = Math.min(least, moments.get(i).nanoTime - now);
        return (int) Math.max(0, Math.min((least + 999_999) / 1_000_000, Integer.MAX_VALUE));
    }

    private void runMoments() {
        long now = System.nanoTime();
        List<Moment> due = new ArrayList<>();
        for (int i = moments.size() - 1; i >= 0; i--) {
            if (moments.get(i).nanoTime - now <= 0) due.add(moments.remove(i));
        }
        for (int i = 0; i < due.size(); i++) run(due.get(i).task);
    }

    private void run(Runnable task) {
        try {
            task.run();
        } catch (RuntimeException | Error e) {
            diagnostics.error("cannot do a task", e);
        }
    }
}
