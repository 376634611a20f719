package io.balena.engine.daemon.container;

import io.balena.engine.daemon.Timer;
import io.balena.engine.daemon.container.config.HealthCheck;
import io.balena.engine.daemon.container.health.Health;
import io.balena.engine.daemon.container.health.Health.Probe;
import io.balena.engine.daemon.container.health.HealthFiles;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.function.Consumer;

/// Has containers probed while they run, and says when their health changes. A container that waits for its next probe costs an entry
/// in the timer.
///
/// Whoever calls about a container holds its lock, unless a method says otherwise.
final class HealthMonitor {
    private static final Logger LOG = System.getLogger(HealthMonitor.class.getName());

    private final HealthProbe probe;
    private final HealthFiles files;
    private final ContainerEvents events;
    private final Timer timer;
    private final Map<ContainerId, Watch> watches = new ConcurrentHashMap<>();
    private Consumer<Container> whenUnhealthy = _ -> {};

    /// The probing of one process of a container, from its start or unpausing to its end or pausing.
    private final class Watch {
        private final Container container;
        private final HealthCheck check;
        private final Instant started;
        private Future<?> next;

        private Watch(Container container, HealthCheck check, Instant started) {
            this.container = container;
            this.check = check;
            this.started = started;
        }

        private void schedule(Duration delay) {
            next = timer.after(delay, "health " + container.id().shortHex(), this::probe);
        }

        private void probe() {
            if (!isCurrent()) return;
            Probe found = probe.run(container, check);
            try (var _ = container.lock()) {
                if (!isCurrent()) return; // ended or paused meanwhile: this says nothing about its health
                found(this, found);
                schedule(pause());
            }
        }

        private Duration pause() {
            boolean starting = container.health.map(health -> health.status() == Health.Status.STARTING).orElse(true)
                    && Duration.between(started, Instant.now()).compareTo(check.startPeriod()) < 0;
            return starting ? check.startInterval() : check.interval();
        }

        private boolean isCurrent() {
            return watches.get(container.id()) == this;
        }
    }

    HealthMonitor(HealthProbe probe, HealthFiles files, ContainerEvents events, Timer timer) {
        this.probe = probe;
        this.files = files;
        this.events = events;
        this.timer = timer;
    }

    /// @param task told of each container that becomes unhealthy, without its lock
    void whenUnhealthy(Consumer<Container> task) {
        whenUnhealthy = task;
    }

    /// A process was started: nothing is known of its health yet.
    void started(Container container) {
        unwatch(container);
        Optional<HealthCheck> check = HealthCheck.of(container.record().config());
        if (check.isEmpty()) return;
        publish(container, container.health.map(Health::restarted).orElseGet(Health::starting));
        Watch watch = watch(container, check.get());
        watch.schedule(watch.pause());
    }

    /// It goes on after a pause, with the health that was shown meanwhile.
    void unpaused(Container container) {
        unwatch(container);
        HealthCheck.of(container.record().config()).map(check -> watch(container, check)).ifPresent(watch -> watch.schedule(watch.pause()));
    }

    /// It is not probed any more: it was paused, or has ended.
    void stopped(Container container) {
        unwatch(container);
        container.health.ifPresent(health -> publish(container, health.unwatched()));
    }

    /// An engine before this one has started it, and perhaps probed it. Probes go on in their rhythm.
    void adopt(Container container) {
        Optional<HealthCheck> check = HealthCheck.of(container.record().config());
        if (check.isEmpty()) return;
        container.health = load(container.id());
        if (!container.state().isAlive()) return;
        if (container.health.isEmpty()) publish(container, Health.starting());
        if (!(container.state() instanceof ContainerState.Running)) return;
        Watch watch = watch(container, check.get());
        var log = container.health.orElseThrow().log();
        Instant last = log.isEmpty() ? watch.started : log.getLast().end();
        watch.schedule(watch.pause().minus(Duration.between(last, Instant.now())));
    }

    private Optional<Health> load(ContainerId id) {
        try {
            return files.load(id.hex());
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Health of container {0} is not known any more: {1}", id, e.getMessage());
            return Optional.empty();
        }
    }

    private Watch watch(Container container, HealthCheck check) {
        Instant started = container.state() instanceof ContainerState.Running running ? running.since() : Instant.now();
        var watch = new Watch(container, check, started);
        watches.put(container.id(), watch);
        return watch;
    }

    private void unwatch(Container container) {
        Watch watch = watches.remove(container.id());
        if (watch != null && watch.next != null) watch.next.cancel(false);
    }

    private void found(Watch watch, Probe found) {
        Container container = watch.container;
        Health before = container.health.orElseGet(Health::starting);
        Health after = before.after(found, watch.check, watch.started);
        publish(container, after);
        if (before.status() == after.status()) return;
        events.publish(container.record(), "health_status: " + after.status().word());
        if (after.status() == Health.Status.UNHEALTHY) timer.after(Duration.ZERO, "unhealthy", () -> whenUnhealthy.accept(container));
    }

    private void publish(Container container, Health health) {
        container.health = Optional.of(health);
        try {
            files.save(container.id().hex(), health);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Health of container {0} will not be known to the next engine: {1}", container.id(), e.getMessage());
        }
    }
}
