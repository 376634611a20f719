package io.balena.engine.daemon.container;

import io.balena.engine.daemon.container.ContainerState.Exited;
import io.balena.engine.daemon.container.ContainerState.Paused;
import io.balena.engine.daemon.container.ContainerState.Running;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.client.Shim;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Brings records and shim together when the engine starts.
///
/// What the shim says about processes is true: who runs there runs on, who ended there has its exit code, and who should run but is
/// unknown there was ended by the machine.
final class Reconciliation {
    private static final Logger LOG = System.getLogger(Reconciliation.class.getName());
    /// What Docker says of a process whose end nobody saw.
    private static final int UNKNOWN = 255;

    private final ContainerStore store;
    private final Start start;
    private final Ending ending;
    private final Removal removal;
    private final Networking networking;
    private final FreezeMarks marks;
    private final HealthMonitor health;
    private final Shim shim;

    Reconciliation(ContainerStore store, Start start, Ending ending, Removal removal, Networking networking, FreezeMarks marks,
            HealthMonitor health, Shim shim) {
        this.store = store;
        this.start = start;
        this.ending = ending;
        this.removal = removal;
        this.networking = networking;
        this.marks = marks;
        this.health = health;
        this.shim = shim;
    }

    void run() throws IOException {
        Map<String, io.balena.engine.runtime.ContainerState> known = shim.list();
        for (String id : known.keySet()) if (store.get(id).isEmpty()) end(id);
        for (Container container : store.all()) {
            try {
                settle(container, Optional.ofNullable(known.get(container.id().hex())));
            } catch (IOException | RuntimeException e) {
                LOG.log(Level.WARNING, "Taking up container {0}: {1}", container.id(), e.getMessage());
            }
        }
        marks.clearAll();
        for (var endpoint : networking.endpoints()) {
            boolean used = store.get(endpoint.containerId()).map(c -> c.state().isAlive()).orElse(false);
            if (!used && ContainerId.isId(endpoint.containerId())) networking.release(new ContainerId(endpoint.containerId()));
        }
    }

    /// Ends what runs without a record: nobody can name it, and its files may be gone.
    private void end(String id) {
        LOG.log(Level.WARNING, "Ending container {0}, of which there is no record", id);
        try {
            new Disposal(shim).of(id);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Container {0} does not go: {1}", id, e.getMessage());
        }
    }

    private void settle(Container container, Optional<io.balena.engine.runtime.ContainerState> known) throws IOException {
        try (var _ = container.lock()) {
            ContainerRecord record = container.record();
            switch (known.orElse(null)) {
                case io.balena.engine.runtime.ContainerState.Running running -> {
                    Instant since = record.state() instanceof Running recorded && recorded.pid() == running.pid() ? recorded.since() : running.since();
                    container.publish(record.with(new Running(running.pid(), since)).wasStarted());
                    start.rootOf(record.id());
                }
                case io.balena.engine.runtime.ContainerState.Paused paused -> {
                    var frozen = new Running(paused.pid(), paused.since());
                    boolean goesOn = marks.isSet(record.id());
                    if (goesOn) shim.resume(record.id().hex());
                    container.publish(record.with(goesOn ? frozen : new Paused(frozen)).wasStarted());
                }
                case io.balena.engine.runtime.ContainerState.Created _ -> {
                    // The engine died between set-up and start; the program has done nothing yet.
                    shim.delete(ProcessKey.container(record.id().hex()));
                    start.tearDown(record.id());
                    if (record.state().isAlive()) store.save(container, record.with(ContainerState.created()), Start.durability(record));
                }
                case io.balena.engine.runtime.ContainerState.Stopped stopped -> {
                    // Its exit is reported as soon as we listen; it must find a process to have ended.
                    if (!record.state().isAlive() && !(record.state() instanceof Exited)) {
                        container.publish(record.with(new Running(0, stopped.status().at())).wasStarted());
                    } else if (record.state() instanceof Exited) {
                        start.tearDown(record.id());
                    }
                }
                case null -> unknown(container, record);
            }
            health.adopt(container);
        }
        if (known.isEmpty() && container.record().host().autoRemove()) removal.removeEnded(container);
    }

    private void unknown(Container container, ContainerRecord record) throws IOException {
        start.tearDown(record.id());
        switch (record.state()) {
            case Running running -> lost(container, record, running.since());
            case Paused paused -> lost(container, record, paused.frozen().since());
            case ContainerState.Restarting again -> store.save(container, record.with(again.last()), Start.durability(record));
            case ContainerState.Removing _ -> removal.remove(container, false);
            case ContainerState.Created _, Exited _ -> {}
        }
    }

    private void lost(Container container, ContainerRecord record, Instant since) throws IOException {
        var exited = new Exited(UNKNOWN, false, since, Instant.now(), "");
        store.save(container, record.with(exited).with(record.network().disconnected()), Start.durability(record));
    }

    static void startRestarting(ContainerStore store, Containers containers) {
        for (Container container : store.all()) {
            ContainerRecord record = container.record();
            boolean ended = record.state() instanceof Exited || record.state() instanceof ContainerState.Created && record.started();
            if (!ended || !record.host().restartPolicy().wantsAtBoot(record.state().exitCode(), record.restarts(), record.stoppedByUser())) continue;
            try {
                containers.start(record.id().hex());
            } catch (IOException | RuntimeException e) {
                LOG.log(Level.ERROR, "Failed to start container {0}: {1}", record.id(), e.getMessage());
            }
        }
    }

    static void stopForShutdown(Containers containers, Container container, Duration most) {
        Duration own = Duration.ofSeconds(container.record().config().stopTimeoutSeconds());
        try {
            containers.stopForShutdown(container, own.isNegative() || own.compareTo(most) > 0 ? most : own);
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.WARNING, "Stopping container {0}: {1}", container.id(), e.getMessage());
        }
    }
}
