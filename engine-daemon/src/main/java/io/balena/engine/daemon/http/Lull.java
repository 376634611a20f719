package io.balena.engine.daemon.http;

import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/// Has something done each time that nobody has asked for anything for a while. An idle engine is not woken by it.
///
/// To be used on the thread of `loop` only.
final class Lull {
    private final EventExecutor loop;
    private final long nanos;
    private final Runnable task;
    private long lastStir;
    private boolean waiting;

    /// @param task is run on a thread of its own
    Lull(EventExecutor loop, Duration lull, Runnable task) {
        this.loop = loop;
        this.nanos = lull.toNanos();
        this.task = task;
    }

    /// Something happens.
    void stir() {
        lastStir = System.nanoTime();
        if (waiting) return;
        waiting = true;
        loop.schedule(this::look, nanos, TimeUnit.NANOSECONDS);
    }

    private void look() {
        long left = lastStir + nanos - System.nanoTime();
        if (left > 0) {
            loop.schedule(this::look, left, TimeUnit.NANOSECONDS);
            return;
        }
        waiting = false;
        Thread.ofVirtual().name("lull").start(task);
    }
}
