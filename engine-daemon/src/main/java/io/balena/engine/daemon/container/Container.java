package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.container.health.Health;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.locks.ReentrantLock;

/// One container in memory: its record, its lock and those who wait for it.
///
/// The record may be read at any time; only the holder of the lock replaces it. The lock is held across set-up and tear-down, never
/// while waiting for a process to end.
final class Container {
    private final ReentrantLock lock = new ReentrantLock();
    private volatile ContainerRecord record;

    final Waiters waiters = new Waiters();
    final Attachments attachments;
    final Set<String> execs = ConcurrentHashMap.newKeySet();

    /// Empty when it has no health check, or never ran. Replaced by the holder of the lock.
    volatile Optional<Health> health = Optional.empty();

    /// The restart that is waiting for its time, if the state is `Restarting`. Guarded by the lock.
    Future<?> pendingRestart;
    /// Its last end could not be recorded, or the shim not be told that it was, so a shim still has it. Guarded by the lock.
    boolean unacknowledged;
    /// It is being ended for its bad health, which counts as a failure whatever its exit code. Guarded by the lock.
    boolean endedForHealth;
    /// A user restarts it: its end is no reason to remove it. Guarded by the lock.
    boolean userRestarts;

    Container(ContainerRecord record) {
        this.record = record;
        this.attachments = new Attachments(record.id().hex());
    }

    ContainerRecord record() {
        return record;
    }

    ContainerId id() {
        return record.id();
    }

    ContainerState state() {
        return record.state();
    }

    /// Only [ContainerStore] and the holder of the lock, for what need not be stored.
    void publish(ContainerRecord next) {
        if (!lock.isHeldByCurrentThread()) throw new IllegalStateException("record replaced without its lock: " + next.id());
        record = next;
    }

    Locked lock() {
        lock.lock();
        return new Locked();
    }

    /// Ends with the `try` it was opened in.
    final class Locked implements AutoCloseable {
        @Override
        public void close() {
            lock.unlock();
        }
    }

    /// @throws Conflict in Docker's words, when there is no process
    void requireAlive() {
        if (!state().isAlive()) throw notRunning();
    }

    EngineException notRunning() {
        return new Conflict("Container " + id() + " is not running");
    }
}
