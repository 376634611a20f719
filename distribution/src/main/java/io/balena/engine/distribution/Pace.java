package io.balena.engine.distribution;

import java.util.concurrent.TimeUnit;

/// When the next message about a moving bar is due: after a step of at least 1 % or 512 kB, ten times a second. The last one always is.
final class Pace {
    private static final long LARGEST_STEP = 512_000;
    private static final long SHORTEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    private final long step;
    private final long end;
    private long told;
    private long toldAtNanos = System.nanoTime() - SHORTEST_PAUSE_NANOS;

    Pace(long total) {
        this.end = total;
        this.step = Math.min(LARGEST_STEP, total / 100);
    }

    boolean isDue(long current) {
        long now = System.nanoTime();
        boolean due = current == end || Math.abs(current - told) >= step && now - toldAtNanos >= SHORTEST_PAUSE_NANOS;
        if (!due) return false;
        told = current;
        toldAtNanos = now;
        return true;
    }
}
