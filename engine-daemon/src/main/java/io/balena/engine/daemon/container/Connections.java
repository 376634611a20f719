package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.Forbidden;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.daemon.network.NetworkMembers;
import io.balena.engine.network.Endpoint;
import io.balena.engine.network.NetworkRecord;
import io.balena.engine.network.PredefinedNetworks;
import java.io.IOException;
import java.util.Optional;

/// Puts containers on networks, and takes them off, while they run and while they do not.
final class Connections implements NetworkMembers {
    private final ContainerStore store;
    private final Networking networking;
    private final EtcFiles etc;
    private final ContainerEvents events;

    Connections(ContainerStore store, Networking networking, EtcFiles etc, ContainerEvents events) {
        this.store = store;
        this.networking = networking;
        this.etc = etc;
        this.events = events;
    }

    @Override
    public void require(String idOrName) {
        store.find(idOrName);
    }

    @Override
    public void connect(String idOrName, NetworkRecord network, JsonNode asked) throws IOException {
        Container container = store.find(idOrName);
        EndpointSettings settings = EndpointSettings.read(asked).on(network.id());
        try (var _ = container.lock()) {
            ContainerRecord record = container.record();
            requireAnotherNetwork(record, network);
            networking.validate(record, network, settings);
            if (record.network().on(network.name()).isPresent() && record.state().isAlive()) {
                throw new Forbidden("endpoint with name " + record.name() + " already exists in network " + network.name());
            }
            if (record.state().isAlive()) connectRunning(container, network, settings);
            else connectStopped(container, network, settings);
        }
    }

    private static void requireAnotherNetwork(ContainerRecord record, NetworkRecord network) {
        NetworkMode mode = record.host().networkMode();
        if (network.name().equals(PredefinedNetworks.HOST)) {
            throw new InvalidRequest("container cannot be disconnected from host network or connected to host network");
        }
        if (mode instanceof NetworkMode.OfContainer || mode instanceof NetworkMode.Host) {
            throw new InvalidRequest("container sharing network namespace with another container or host cannot be connected to any other network");
        }
        boolean isPrivate = record.network().on(PredefinedNetworks.NONE).isPresent();
        if (isPrivate || network.name().equals(PredefinedNetworks.NONE) && !record.network().names().isEmpty()) {
            throw new InvalidRequest("container cannot be connected to multiple networks with one of the networks in private (none) mode");
        }
    }

    private void connectStopped(Container container, NetworkRecord network, EndpointSettings settings) throws IOException {
        ContainerRecord record = container.record();
        EndpointSettings named = network.predefined() ? settings : settings.withAlias(record.id().shortHex());
        store.save(container, record.with(record.network().with(network.name(), named)), Start.durability(record));
    }

    private void connectRunning(Container container, NetworkRecord network, EndpointSettings settings) throws IOException {
        ContainerRecord record = container.record();
        Endpoint endpoint = networking.connect(record, network, settings);
        try {
            etc.addAddresses(record, endpoint);
            NetworkSettings next = record.network().with(network.name(), settings);
            save(container, next.connected(networking.endpoints(record.id()), PortRequests.exposed(record)));
        } catch (IOException | RuntimeException e) {
            networking.disconnect(record, network);
            throw e;
        }
        events.network(container.record(), "connect", network.name(), network.driver(), network.id());
    }

    private void save(Container container, NetworkSettings next) throws IOException {
        store.save(container, container.record().with(next), Start.durability(container.record()));
    }

    @Override
    public void disconnect(String idOrName, NetworkRecord network, boolean force) throws IOException {
        Optional<Container> found = find(idOrName, force);
        if (found.isEmpty()) throw new NotFound("endpoint " + idOrName + " not found");
        Container container = found.get();
        try (var _ = container.lock()) {
            ContainerRecord record = container.record();
            if (record.network().on(network.name()).isEmpty()) {
                throw new SystemFailure("container " + record.id() + " is not connected to network " + network.name(), null);
            }
            if (record.host().networkMode() instanceof NetworkMode.Host) {
                throw new InvalidRequest("container cannot be disconnected from host network or connected to host network");
            }
            if (record.state().isAlive()) disconnectRunning(container, network);
            else save(container, record.network().without(network.name()));
        }
    }

    private Optional<Container> find(String idOrName, boolean force) {
        try {
            return Optional.of(store.find(idOrName));
        } catch (NotFound e) {
            if (!force) throw e;
            return Optional.empty();
        }
    }

    private void disconnectRunning(Container container, NetworkRecord network) throws IOException {
        ContainerRecord record = container.record();
        Optional<Endpoint> gone = networking.endpoints(record.id()).stream().filter(each -> each.of().networkId().equals(network.id())).findFirst();
        if (gone.isPresent()) {
            networking.disconnect(record, network);
            etc.removeAddresses(record, gone.get());
        }
        save(container, record.network().without(network.name()).connected(networking.endpoints(record.id()), PortRequests.exposed(record)));
        events.network(container.record(), "disconnect", network.name(), network.driver(), network.id());
    }

    @Override
    public boolean isUsed(NetworkRecord network) {
        return store.all().stream().map(Container::record).anyMatch(record -> record.state().isAlive()
                && record.network().on(network.name()).filter(on -> on.networkId().equals(network.id())).isPresent());
    }
}
