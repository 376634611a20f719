package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.ContainerStore.Durability;
import io.balena.engine.network.Endpoint;
import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.client.Shim;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;

/// Brings a container to life. A failure at any step undoes those before it.
///
/// `Running` is recorded before the program runs: were it the other way round, a power cut could leave a program that has run, and
/// done something, in a container that "was never started", and a client would run it again.
final class Start {
    private static final Logger LOG = System.getLogger(Start.class.getName());

    private final ContainerStore store;
    private final NamespaceDonors donors;
    private final Networking networking;
    private final Bundles bundles;
    private final Runtimes runtimes;
    private final ContainerEvents events;
    private final HealthMonitor health;
    private final Shim shim;

    Start(ContainerStore store, NamespaceDonors donors, Networking networking, Bundles bundles, Runtimes runtimes, ContainerEvents events,
            HealthMonitor health, Shim shim) {
        this.store = store;
        this.donors = donors;
        this.networking = networking;
        this.bundles = bundles;
        this.runtimes = runtimes;
        this.events = events;
        this.health = health;
        this.shim = shim;
    }

    /// The caller holds the container's lock and has seen that it does not run.
    ///
    /// @throws EngineException in Docker's words; the record then says so, too
    void start(Container container) throws IOException {
        ContainerRecord before = container.record();
        var done = new UndoSteps();
        try {
            setUp(container, done);
            container.attachments.attachAll(shim);
            shim.start(before.id().hex());
        } catch (IOException | RuntimeException e) {
            done.undo(before.id());
            throw failed(container, before, e);
        }
        health.started(container);
        events.publish(container.record(), "start");
    }

    private void setUp(Container container, UndoSteps done) throws IOException {
        ContainerRecord record = donors.named(container.record());
        String id = record.id().hex();
        Optional<RuntimeCommand> runtime = runtimes.forStart(record.host().runtime());
        Optional<Endpoint> endpoint = networking.allocate(record);
        if (endpoint.isPresent()) done.push(() -> networking.release(record.id()));
        Path bundle = bundles.assemble(record, endpoint, networking.gateway(), runtime.isPresent(), done);
        var stdio = new Stdio(record.config().openStdin(), record.config().stdinOnce(), log(record));
        if (container.unacknowledged) {
            new Disposal(shim).of(id);
            container.unacknowledged = false;
        }
        // Also when its creation fails: the shim may have died in the middle of it.
        done.push(() -> new Disposal(shim).of(id));
        int pid = shim.create(id, bundle, stdio, runtime);
        NetworkSettings network = record.network();
        if (endpoint.isPresent()) {
            networking.attach(record, endpoint.get(), pid);
            network = network.connected("bridge", endpoint.get(), Networking.exposed(record));
            events.network(record, "connect", "bridge");
        }
        store.save(container, record.with(new ContainerState.Running(pid, Instant.now())).with(network).wasStarted(), durability(record));
    }

    private Optional<Stdio.Log> log(ContainerRecord record) {
        try {
            return LogSettings.of(record, store.folder(record.id()));
        } catch (IllegalArgumentException e) {
            throw new SystemFailure("failed to initialize logging driver: " + e.getMessage(), null);
        }
    }

    /// After a restart of the machine a `--rm` container is removed whatever it did, so nothing of its life needs to be durable.
    static Durability durability(ContainerRecord record) {
        return record.host().autoRemove() ? Durability.PROCESS_END : Durability.POWER_CUT;
    }

    private EngineException failed(Container container, ContainerRecord before, Exception why) {
        StartFailure failure = StartFailure.of(why, before.state());
        String told = failure.told().getMessage();
        container.attachments.failAll(new IOException(told, why));
        ContainerState next = switch (before.state()) {
            case ContainerState.Exited last -> new ContainerState.Exited(failure.exitCode(), false, last.since(), last.at(), told);
            case ContainerState.Restarting again ->
                    new ContainerState.Exited(failure.exitCode(), false, again.last().since(), again.last().at(), told);
            default -> new ContainerState.Created(failure.exitCode(), told);
        };
        try {
            store.save(container, before.with(next), durability(before));
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Recording the failed start of container {0}: {1}", before.id(), e.getMessage());
            container.publish(before.with(next));
        }
        return failure.told();
    }

    /// The mounted root of a container that runs.
    Path rootOf(ContainerId id) throws IOException {
        return bundles.rootOf(id);
    }

    /// Frees what a container that ended held, but its record: network, bundle, mount. Goes on when a step fails.
    void tearDown(ContainerId id) {
        var steps = new UndoSteps();
        bundles.dismantle(id, steps);
        steps.push(() -> networking.release(id));
        steps.undo(id);
    }
}
