package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.Timer;
import io.balena.engine.daemon.container.ContainerState.Created;
import io.balena.engine.daemon.container.ContainerState.Exited;
import io.balena.engine.daemon.container.ContainerState.Paused;
import io.balena.engine.daemon.container.ContainerState.Removing;
import io.balena.engine.daemon.container.ContainerState.Restarting;
import io.balena.engine.daemon.container.ContainerState.Running;
import io.balena.engine.daemon.container.ContainerStore.Durability;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.client.Shim;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// The life of containers. Has never heard of HTTP.
final class Containers {
    /// How long a killed process may take to go: one in an uninterruptible system call takes its time.
    private static final Duration KILL_PATIENCE = Duration.ofSeconds(10);

    private static final Logger LOG = System.getLogger(Containers.class.getName());

    private final ContainerStore store;
    private final Start start;
    private final Networking networking;
    private final Restarts restarts;
    private final Removal removal;
    private final ContainerEvents events;
    private final HealthMonitor health;
    private final Timer timer;
    private final Shim shim;

    /// Whether something was done, or was so already.
    enum Outcome { DONE, NOTHING_TO_DO }

    /// What a client may wait for.
    enum Condition { NOT_RUNNING, NEXT_EXIT, REMOVED }

    Containers(ContainerStore store, Start start, Networking networking, Restarts restarts, Removal removal, ContainerEvents events, HealthMonitor health,
            Timer timer, Shim shim) {
        this.store = store;
        this.start = start;
        this.networking = networking;
        this.restarts = restarts;
        this.removal = removal;
        this.events = events;
        this.health = health;
        this.timer = timer;
        this.shim = shim;
    }

    Outcome start(String idOrName) throws IOException {
        Container container = store.find(idOrName);
        try (var _ = container.lock()) {
            switch (container.state()) {
                case Running _, Restarting _ -> {
                    return Outcome.NOTHING_TO_DO;
                }
                case Paused _ -> throw new Conflict("cannot start a paused container, try unpause instead");
                case Removing _ -> throw new Conflict("container is marked for removal and cannot be started");
                case Created _, Exited _ -> {}
            }
            container.publish(container.record().stoppedByUser(false).restarted(0));
            restarts.forget(container.id());
            start.start(container);
            return Outcome.DONE;
        } catch (IOException | RuntimeException e) {
            if (container.record().host().autoRemove() && container.state() instanceof Created) removal.removeEnded(container);
            throw e;
        }
    }

    /// @param signal empty for the container's own
    /// @param timeout until SIGKILL; empty for the container's own, negative for ever
    Outcome stop(String idOrName, Optional<Signal> signal, Optional<Duration> timeout) throws IOException {
        return stop(store.find(idOrName), signal, timeout, true);
    }

    /// Stops a container because the engine stops: one that is to be restarted will be when the engine is back.
    void stopForShutdown(Container container, Duration timeout) throws IOException {
        stop(container, Optional.empty(), Optional.of(timeout), false);
    }

    private Outcome stop(Container container, Optional<Signal> signal, Optional<Duration> timeout, boolean byUser) throws IOException {
        CompletableFuture<Integer> ended;
        try (var _ = container.lock()) {
            switch (container.state()) {
                case Created _, Exited _, Removing _ -> {
                    return Outcome.NOTHING_TO_DO;
                }
                case Restarting _ -> {
                    restarts.cancel(container);
                    events.publish(container.record(), "stop");
                    return Outcome.DONE;
                }
                case Running _, Paused _ -> {}
            }
            // Stored with the exit that follows; nobody is told that it has stopped before that.
            if (byUser) container.publish(container.record().stoppedByUser(true));
            ended = container.waiters.nextExit();
            Signal first = signal.orElseGet(() -> Signal.parse(container.record().config().stopSignal()));
            send(container, first);
        }
        Duration patience = timeout.orElse(Duration.ofSeconds(container.record().config().stopTimeoutSeconds()));
        if (!hasEnded(ended, patience)) {
            try (var _ = container.lock()) {
                if (container.state().isAlive()) {
                    send(container, Signal.KILL);
                }
            }
            if (!hasEnded(ended, KILL_PATIENCE)) {
                throw new SystemFailure("Container " + container.id() + " does not go away although it was killed", null);
            }
        }
        events.publish(container.record(), "stop");
        return Outcome.DONE;
    }

    /// Asks a container that turned unhealthy to end, if its restart policy will then start it again; kills it when it does not.
    void endUnhealthy(Container container) {
        Optional<Duration> patience = askUnhealthy(container);
        if (patience.isEmpty()) return;
        ContainerState asked = container.state();
        timer.after(patience.get(), "unhealthy", () -> {
            try (var _ = container.lock()) {
                if (container.endedForHealth && container.state() == asked) send(container, Signal.KILL);
            } catch (IOException e) {
                LOG.log(Level.WARNING, "Killing unhealthy container {0}: {1}", container.id(), e.getMessage());
            }
        });
    }

    /// @return until it is to be killed; empty when it need not be
    private Optional<Duration> askUnhealthy(Container container) {
        try (var _ = container.lock()) {
            ContainerRecord record = container.record();
            boolean wanted = record.host().restartPolicy().wants(1, record.restarts(), record.stoppedByUser());
            if (!(record.state() instanceof Running) || !wanted) return Optional.empty();
            LOG.log(Level.INFO, "Container {0} is unhealthy and is restarted", record.id());
            container.endedForHealth = true;
            send(container, Signal.parse(record.config().stopSignal()));
            int seconds = record.config().stopTimeoutSeconds();
            return seconds < 0 ? Optional.empty() : Optional.of(Duration.ofSeconds(seconds));
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Ending unhealthy container {0}: {1}", container.id(), e.getMessage());
            return Optional.of(Duration.ZERO);
        }
    }

    /// Sends a signal; with SIGKILL, returns when the container has ended.
    void kill(String idOrName, Signal signal) throws IOException {
        Container container = store.find(idOrName);
        CompletableFuture<Integer> ended;
        try (var _ = container.lock()) {
            if (container.state() instanceof Restarting && signal.equals(Signal.KILL)) {
                restarts.cancel(container);
                return;
            }
            if (!container.state().isAlive()) {
                throw container.notRunning();
            }
            boolean ends = signal.equals(Signal.KILL) || signal.equals(Signal.parse(container.record().config().stopSignal()));
            if (ends) container.publish(container.record().stoppedByUser(true));
            ended = container.waiters.nextExit();
            send(container, signal);
        }
        if (signal.equals(Signal.KILL)) hasEnded(ended, KILL_PATIENCE);
    }

    void restart(String idOrName, Optional<Signal> signal, Optional<Duration> timeout) throws IOException {
        Container container = store.find(idOrName);
        try (var _ = container.lock()) {
            container.userRestarts = true;
        }
        try {
            stop(container.id().hex(), signal, timeout);
            start(container.id().hex());
        } finally {
            try (var _ = container.lock()) {
                container.userRestarts = false;
            }
        }
        events.publish(container.record(), "restart");
    }

    private void send(Container container, Signal signal) throws IOException {
        try {
            shim.kill(ProcessKey.container(container.id().hex()), signal.number());
        } catch (ContainerFailure e) {
            if (e.kind() != ContainerFailure.Kind.NO_SUCH_PROCESS) throw e;
            // It ended by itself; its exit is on the way.
        }
        events.publish(container.record(), "kill", Map.of("signal", Integer.toString(signal.number())));
        if (container.state() instanceof Paused paused && wakes(container, signal)) thaw(container, paused);
    }

    /// As Docker has it: a paused container gets to see the signal that is to end it, and any when it names none of its own.
    private static boolean wakes(Container container, Signal signal) {
        return signal.equals(Signal.KILL) || !container.record().config().hasStopSignal()
                || signal.equals(Signal.parse(container.record().config().stopSignal()));
    }

    private void thaw(Container container, Paused paused) throws IOException {
        shim.resume(container.id().hex());
        container.publish(container.record().with(paused.frozen()));
        health.unpaused(container);
        events.publish(container.record(), "unpause");
    }

    /// @param patience negative for ever
    private static boolean hasEnded(CompletableFuture<Integer> ended, Duration patience) throws IOException {
        try {
            if (patience.isNegative()) ended.get();
            else ended.get(patience.toMillis(), TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (InterruptedException e) {
            throw new InterruptedIOException("interrupted while waiting for a container to end");
        } catch (ExecutionException e) {
            throw new IllegalStateException("waiters complete with an exit code", e);
        }
    }

    void pause(String idOrName) throws IOException {
        Container container = store.find(idOrName);
        try (var _ = container.lock()) {
            switch (container.state()) {
                case Paused _ -> throw new Conflict("Container " + container.id() + " is already paused");
                case Restarting _ -> throw new Conflict("Container " + container.id() + " is restarting, wait until the container is running");
                case Running running -> {
                    shim.pause(container.id().hex());
                    // The kernel's freezer is the truth about it, also for a new engine; nothing to store.
                    container.publish(container.record().with(new Paused(running)));
                    health.stopped(container);
                }
                case Created _, Exited _, Removing _ -> throw container.notRunning();
            }
            events.publish(container.record(), "pause");
        }
    }

    void unpause(String idOrName) throws IOException {
        Container container = store.find(idOrName);
        try (var _ = container.lock()) {
            if (!(container.state() instanceof Paused paused)) throw new SystemFailure("Container " + container.id() + " is not paused", null);
            thaw(container, paused);
        }
    }

    void rename(String idOrName, String newName) throws IOException {
        Container container = store.find(idOrName);
        if (newName.isEmpty()) throw new InvalidRequest("Neither old nor new names may be empty");
        try (var _ = container.lock()) {
            String old = container.record().name();
            if (old.equals(newName.startsWith("/") ? newName.substring(1) : newName)) {
                throw new InvalidRequest("Renaming a container with the same name as its current name");
            }
            String name = allocate(newName, container.id());
            try {
                store.save(container, container.record().named(name), Durability.POWER_CUT);
            } catch (IOException | RuntimeException e) {
                store.giveBack(name, container.id());
                throw e;
            }
            store.giveBack(old, container.id());
            networking.rename(container.id(), name);
            events.publish(container.record(), "rename", Map.of("oldName", "/" + old));
        }
    }

    private String allocate(String given, ContainerId id) {
        try {
            String name = ContainerName.require(given.startsWith("/") ? given : "/" + given);
            store.reserve(name, id);
            return name;
        } catch (InvalidRequest | Conflict e) {
            throw e.after("Error when allocating new name: ");
        }
    }

    void remove(String idOrName, boolean force, boolean volumes) throws IOException {
        Container container = store.find(idOrName);
        while (true) {
            CompletableFuture<Integer> ended;
            try (var _ = container.lock()) {
                if (store.get(container.id().hex()).isEmpty()) return; // somebody else was quicker
                if (container.state() instanceof Restarting && force) restarts.cancel(container);
                switch (container.state()) {
                    case Created _, Exited _, Removing _ -> {
                        removal.remove(container, volumes);
                        restarts.forget(container.id());
                        return;
                    }
                    case Paused _ when !force -> throw new Conflict("You cannot remove a paused container " + container.id()
                            + ". Unpause and then stop the container before attempting removal or force remove");
                    case Running _, Restarting _ when !force -> throw new Conflict("You cannot remove a running container " + container.id()
                            + ". Stop the container before attempting removal or force remove");
                    case Running _, Paused _, Restarting _ -> {
                        container.publish(container.record().stoppedByUser(true));
                        ended = container.waiters.nextExit();
                        send(container, Signal.KILL);
                    }
                }
            }
            if (!hasEnded(ended, KILL_PATIENCE)) {
                throw new Conflict("Could not kill running container " + container.id() + ", cannot remove");
            }
        }
    }

    /// The exit code, when `condition` has come about.
    CompletableFuture<Integer> await(String idOrName, Condition condition) {
        Container container = store.find(idOrName);
        try (var _ = container.lock()) {
            // Whoever found it just before it was removed would wait for ever.
            if (store.get(container.id().hex()).isEmpty()) return CompletableFuture.completedFuture(container.state().exitCode());
            return switch (condition) {
                case NEXT_EXIT -> container.waiters.nextExit();
                case REMOVED -> container.waiters.removal();
                case NOT_RUNNING -> switch (container.state()) {
                    case Running _, Paused _, Restarting _ -> container.waiters.nextExit();
                    case Created _, Exited _, Removing _ -> CompletableFuture.completedFuture(container.state().exitCode());
                };
            };
        }
    }

    void resize(String idOrName, int rows, int columns) throws IOException {
        Container container = store.find(idOrName);
        container.requireAlive();
        shim.resize(ProcessKey.container(container.id().hex()), rows, columns);
        events.publish(container.record(), "resize", Map.of("height", Integer.toString(rows), "width", Integer.toString(columns)));
    }
}
