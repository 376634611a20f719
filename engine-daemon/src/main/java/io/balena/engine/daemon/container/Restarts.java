package io.balena.engine.daemon.container;

import io.balena.engine.daemon.Timer;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Starts containers again that their restart policy wants back, after a pause that doubles while they keep ending soon.
final class Restarts {
    private static final Logger LOG = System.getLogger(Restarts.class.getName());
    private static final Duration FIRST = Duration.ofMillis(100);
    private static final Duration LONGEST = Duration.ofMinutes(1);
    /// Who ran that long begins anew with the shortest pause.
    private static final Duration HEALTHY = Duration.ofSeconds(10);

    private final ContainerStore store;
    private final Start start;
    private final Timer timer;
    private final Map<ContainerId, Duration> pauses = new ConcurrentHashMap<>();
    private volatile boolean closed;

    Restarts(ContainerStore store, Start start, Timer timer) {
        this.store = store;
        this.start = start;
        this.timer = timer;
    }

    /// The caller holds the lock of `container`, whose state is `Restarting`.
    void schedule(Container container, Duration ran) {
        Duration pause = next(pauses.get(container.id()), ran);
        pauses.put(container.id(), pause);
        container.pendingRestart = timer.after(pause, "restart " + container.id().shortHex(), () -> restart(container));
    }

    static Duration next(Duration last, Duration ran) {
        if (last == null || ran.compareTo(HEALTHY) >= 0) return FIRST;
        Duration doubled = last.multipliedBy(2);
        return doubled.compareTo(LONGEST) > 0 ? LONGEST : doubled;
    }

    private void restart(Container container) {
        try (var _ = container.lock()) {
            if (closed || !(container.state() instanceof ContainerState.Restarting)) return;
            container.pendingRestart = null;
            try {
                start.start(container);
            } catch (IOException | RuntimeException e) {
                LOG.log(Level.ERROR, "Failed to restart container {0}: {1}", container.id(), e.getMessage());
                ContainerRecord failed = container.record();
                if (!failed.host().restartPolicy().wants(failed.state().exitCode(), failed.restarts(), false)) {
                    container.waiters.exited(failed.state().exitCode());
                    return;
                }
                var last = failed.state() instanceof ContainerState.Exited exited ? exited
                        : new ContainerState.Exited(failed.state().exitCode(), false, null, Instant.now(), "");
                container.publish(failed.with(new ContainerState.Restarting(last)).restarted(failed.restarts() + 1));
                schedule(container, Duration.ZERO);
            }
        }
    }

    /// Gives a restart up. The caller holds the lock of `container`, which is `Exited` afterwards.
    void cancel(Container container) throws IOException {
        if (!(container.state() instanceof ContainerState.Restarting again)) return;
        if (container.pendingRestart != null) container.pendingRestart.cancel(false);
        container.pendingRestart = null;
        store.save(container, container.record().with(again.last()).stoppedByUser(true), Start.durability(container.record()));
        container.waiters.exited(again.last().code());
    }

    void forget(ContainerId id) {
        pauses.remove(id);
    }

    boolean isOpen() {
        return !closed;
    }

    /// No more restarts.
    void close() {
        closed = true;
    }
}
