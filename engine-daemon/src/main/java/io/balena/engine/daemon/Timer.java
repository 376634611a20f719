package io.balena.engine.daemon;

import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/// Does things later. However much waits, one thread waits for all of it, and none while nothing does; what is due runs on a virtual
/// thread of its own, and may block.
public final class Timer implements AutoCloseable {
    private static final int IDLE_SECONDS = 60;

    private final ScheduledThreadPoolExecutor clock;

    public Timer() {
        clock = new ScheduledThreadPoolExecutor(1, Thread.ofPlatform().daemon().name("timer").factory());
        clock.setRemoveOnCancelPolicy(true);
        clock.setKeepAliveTime(IDLE_SECONDS, TimeUnit.SECONDS);
        clock.allowCoreThreadTimeOut(true);
        clock.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    /// @param name of the thread that runs it
    /// @return to be cancelled by who has changed his mind; what has begun is not interrupted
    public Future<?> after(Duration delay, String name, Runnable task) {
        return clock.schedule(() -> Thread.ofVirtual().name(name).start(task), Math.max(0, delay.toNanos()), TimeUnit.NANOSECONDS);
    }

    /// Nothing more is begun.
    @Override
    public void close() {
        clock.shutdownNow();
    }
}
