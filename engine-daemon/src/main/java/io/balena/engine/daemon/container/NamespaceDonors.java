package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.IpcMode;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.daemon.container.spec.SharedNamespaces;
import java.util.OptionalInt;

/// Finds the containers whose namespaces another one is to join, each time it starts.
final class NamespaceDonors {
    private static final String CONTAINER = "container:";

    private final ContainerStore store;
    private final SharedMemory memory;

    NamespaceDonors(ContainerStore store, SharedMemory memory) {
        this.store = store;
        this.memory = memory;
    }

    /// @throws EngineException in Docker's words when one does not run, or does not share
    SharedNamespaces of(ContainerRecord record) {
        OptionalInt network = record.host().networkMode() instanceof NetworkMode.OfContainer other
                ? OptionalInt.of(network(record, other.idOrName()).state().pid()) : OptionalInt.empty();
        IpcMode mode = IpcMode.parse(record.host().text("IpcMode"));
        OptionalInt ipc = mode instanceof IpcMode.OfContainer other ? OptionalInt.of(ipc(other.idOrName()).state().pid()) : OptionalInt.empty();
        String pidMode = record.host().text("PidMode");
        OptionalInt pid = pidMode.startsWith(CONTAINER)
                ? OptionalInt.of(pid(pidMode.substring(CONTAINER.length())).state().pid()) : OptionalInt.empty();
        return new SharedNamespaces(network, ipc, pid, memory.of(record, store));
    }

    /// With the host and domain name of the one whose network it shares, since names are part of that.
    ContainerRecord named(ContainerRecord record) {
        if (!(record.host().networkMode() instanceof NetworkMode.OfContainer other)) return record;
        ContainerConfig donor = network(record, other.idOrName()).record().config();
        return record.with(record.config().with("Hostname", donor.hostname()).with("Domainname", donor.domainname()));
    }

    private Container network(ContainerRecord record, String idOrName) {
        Container other = store.find(idOrName);
        if (other.id().equals(record.id())) throw new Conflict("cannot join own network: " + other.id());
        requireStable(other);
        if (!other.state().isAlive()) throw new Conflict("cannot join network of a non running container: " + other.id());
        return other;
    }

    private Container pid(String idOrName) {
        Container other = store.find(idOrName);
        requireStable(other);
        if (!other.state().isAlive()) throw new SystemFailure("container " + other.id() + " is not running", null);
        return other;
    }

    private Container ipc(String idOrName) {
        String context = "can't join IPC of container " + idOrName + ": ";
        Container other;
        try {
            other = store.find(idOrName);
        } catch (EngineException e) {
            throw new SystemFailure(context + e.getMessage(), e);
        }
        context = "can't join IPC of container " + other.id() + ": ";
        if (!other.state().isAlive()) throw new SystemFailure(context + "container " + other.id() + " is not running", null);
        if (memory.of(other.record(), store).isEmpty()) {
            throw new SystemFailure(context + "non-shareable IPC (hint: use IpcMode:shareable for the donor container)", null);
        }
        return other;
    }

    private static void requireStable(Container other) {
        if (!(other.state() instanceof ContainerState.Restarting)) return;
        throw new Conflict("Container " + other.id() + " is restarting, wait until the container is running");
    }
}
