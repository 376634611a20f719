package io.balena.engine.daemon.container.health;

import io.balena.engine.daemon.container.config.HealthCheck;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/// What the probes of a container have found so far.
///
/// @param failingStreak failures since the last success
/// @param log the last probes, oldest first
public record Health(Status status, int failingStreak, List<Probe> log) {
    private static final int REMEMBERED = 5;

    /// Docker's words for it.
    public enum Status {
        STARTING, HEALTHY, UNHEALTHY;

        public String word() {
            return switch (this) {
                case STARTING -> "starting";
                case HEALTHY -> "healthy";
                case UNHEALTHY -> "unhealthy";
            };
        }
    }

    /// One probe.
    ///
    /// @param exitCode -1 when it could not be run, or took too long
    public record Probe(Instant start, Instant end, int exitCode, String output) {}

    public static Health starting() {
        return new Health(Status.STARTING, 0, List.of());
    }

    /// Of a container that is started again: nothing is known of its new process.
    public Health restarted() {
        return new Health(Status.STARTING, 0, log);
    }

    /// Of a container that nobody probes, since it is paused or has ended. Docker calls it unhealthy, and clients rely on that.
    public Health unwatched() {
        return new Health(Status.UNHEALTHY, failingStreak, log);
    }

    /// @param started when the container's process began
    public Health after(Probe probe, HealthCheck check, Instant started) {
        List<Probe> probes = new ArrayList<>(log);
        probes.add(probe);
        List<Probe> last = List.copyOf(probes.subList(Math.max(0, probes.size() - REMEMBERED), probes.size()));
        if (probe.exitCode == 0) return new Health(Status.HEALTHY, 0, last);
        boolean forgiven = status == Status.STARTING && Duration.between(started, probe.start).compareTo(check.startPeriod()) < 0;
        if (forgiven) return new Health(status, failingStreak, last);
        int streak = failingStreak + 1;
        return new Health(streak >= check.retries() ? Status.UNHEALTHY : status, streak, last);
    }
}
