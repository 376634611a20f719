package io.balena.engine.daemon.container;

import io.balena.engine.daemon.Timer;
import io.balena.engine.daemon.container.config.HealthCheck;
import io.balena.engine.daemon.container.health.Health.Probe;
import io.balena.engine.daemon.container.health.ProbeOutput;
import io.balena.engine.runtime.client.AttachedStream;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;

/// Runs a container's health check once, as an exec that events tell of like of others.
final class HealthProbe {
    private static final Logger LOG = System.getLogger(HealthProbe.class.getName());
    /// How long a probe's exit may take to be heard of after its output has ended, on a busy machine.
    private static final Duration EXIT_AFTER_OUTPUT = Duration.ofSeconds(10);
    private static final int NO_RESULT = -1;

    private final Execs execs;
    private final Timer timer;

    HealthProbe(Execs execs, Timer timer) {
        this.execs = execs;
        this.timer = timer;
    }

    /// Returns when the probe has ended; one that takes too long is killed.
    Probe run(Container container, HealthCheck check) {
        Instant start = Instant.now();
        try {
            return run(container, check, start);
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.WARNING, "Health check for container {0} error: {1}", container.id(), e.getMessage());
            return new Probe(start, Instant.now(), NO_RESULT, String.valueOf(e.getMessage()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new Probe(start, Instant.now(), NO_RESULT, "interrupted");
        }
    }

    private Probe run(Container container, HealthCheck check, Instant start) throws IOException, InterruptedException {
        var request = new Execs.Request(check.command(), List.of(), "", "", false, false, false, true, true, "", Optional.empty());
        Execs.Exec exec = execs.find(execs.create(container.id().hex(), request));
        var output = new ProbeOutput();
        var overdue = new AtomicReference<Instant>();
        try (AttachedStream stream = execs.attach(exec)) {
            execs.begin(exec);
            execs.run(exec, Optional.empty());
            Future<?> limit = timer.after(check.timeout(), "health timeout", () -> {
                overdue.set(Instant.now());
                execs.kill(exec);
            });
            output.readAll(stream);
            exec.awaitEnd(EXIT_AFTER_OUTPUT);
            limit.cancel(false);
        } finally {
            execs.forget(exec);
        }
        if (overdue.get() != null) {
            return new Probe(start, overdue.get(), NO_RESULT, "Health check exceeded timeout (" + Durations.asGo(check.timeout()) + ")");
        }
        int code = exec.state() instanceof Execs.State.Ended ended ? ended.code() : NO_RESULT;
        return new Probe(start, Instant.now(), code, output.text());
    }
}
