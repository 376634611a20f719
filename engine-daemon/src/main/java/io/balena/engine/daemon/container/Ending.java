package io.balena.engine.daemon.container;

import io.balena.engine.daemon.container.ContainerState.Exited;
import io.balena.engine.daemon.container.ContainerState.Restarting;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.client.Shim;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;

/// What happens when a container's process has ended.
///
/// The exit is recorded before anybody hears of it, and acknowledged to the shim after that: at any moment either the record or the
/// shim knows the exit code.
final class Ending {
    private static final Logger LOG = System.getLogger(Ending.class.getName());

    private static final int FAILURE = 1;

    private final ContainerStore store;
    private final Start start;
    private final Restarts restarts;
    private final Removal removal;
    private final ContainerEvents events;
    private final HealthMonitor health;
    private final Shim shim;

    Ending(ContainerStore store, Start start, Restarts restarts, Removal removal, ContainerEvents events, HealthMonitor health,
            Shim shim) {
        this.store = store;
        this.start = start;
        this.restarts = restarts;
        this.removal = removal;
        this.events = events;
        this.health = health;
        this.shim = shim;
    }

    void exited(Container container, ExitStatus status) {
        boolean remove;
        try (var _ = container.lock()) {
            if (!container.state().isAlive()) {
                acknowledge(container);
                return;
            }
            remove = record(container, status);
        }
        if (remove) removal.removeEnded(container);
    }

    /// @return whether the container is now to be removed
    private boolean record(Container container, ExitStatus status) {
        health.stopped(container);
        ContainerRecord before = container.record();
        Instant since = switch (before.state()) {
            case ContainerState.Running running -> running.since();
            case ContainerState.Paused paused -> paused.frozen().since();
            default -> status.at();
        };
        var exited = new Exited(status.code(), status.oomKilled(), since, status.at(), status.known() ? "" : Exited.UNKNOWN_CODE);
        int judged = container.endedForHealth && status.code() == 0 ? FAILURE : status.code();
        container.endedForHealth = false;
        boolean again = !container.userRestarts && restarts.isOpen()
                && before.host().restartPolicy().wants(judged, before.restarts(), before.stoppedByUser());
        ContainerRecord next = before.with(again ? new Restarting(exited) : exited).with(before.network().disconnected());
        if (again) next = next.restarted(before.restarts() + 1);

        start.tearDown(before.id());
        try {
            store.save(container, next, Start.durability(before));
        } catch (IOException e) {
            // It has ended, whether or not the disk takes it. The shim keeps the exit: for a later engine, or until the next start.
            LOG.log(Level.WARNING, "Recording the end of container {0}: {1}", before.id(), e.getMessage());
            container.publish(next);
            container.unacknowledged = true;
        }
        announce(container, exited, again);
        if (!container.unacknowledged) acknowledge(container);
        if (again) restarts.schedule(container, Duration.between(since, status.at()));
        return !again && before.host().autoRemove() && !container.userRestarts;
    }

    private void announce(Container container, Exited exited, boolean again) {
        ContainerRecord record = container.record();
        if (!record.network().networks().isEmpty() && record.network().networks().has("bridge")) events.network(record, "disconnect", "bridge");
        events.publish(record, "die", Map.of("exitCode", Integer.toString(exited.code())));
        if (!again) container.waiters.exited(exited.code());
    }

    private void acknowledge(Container container) {
        try {
            new Disposal(shim).of(container.id().hex());
        } catch (IOException e) {
            // The next start, or the next engine, tries again.
            container.unacknowledged = true;
            LOG.log(Level.WARNING, "The shim does not forget container {0}: {1}", container.id(), e.getMessage());
        }
    }
}
