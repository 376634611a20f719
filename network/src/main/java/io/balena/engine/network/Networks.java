package io.balena.engine.network;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// All networks of an engine: which there are, and the making and removing of them.
///
/// Safe for use by many threads. Which containers are on them is the business of [Sandboxes].
public final class Networks implements AutoCloseable {
    private static final Logger LOG = System.getLogger(Networks.class.getName());
    private static final SecureRandom RANDOM = new SecureRandom();

    private final NetworkHost host;
    private final NetworkFactory factory;
    private final NetworkFiles files;
    private final AddressSpace space;
    private final Set<String> dockers;
    /// By id. Guarded by itself when it is changed.
    private final Map<String, Known> known = new ConcurrentHashMap<>();

    /// A network, and what carries it: empty for those that give no addresses, and for one that cannot be had at present.
    private record Known(NetworkRecord record, Optional<AddressedNetwork> network) {}

    private Networks(NetworkHost host, NetworkFactory factory, NetworkFiles files, AddressSpace space, Set<String> dockers) {
        this.host = host;
        this.factory = factory;
        this.files = files;
        this.space = space;
        this.dockers = dockers;
    }

    /// Takes up what there is: in the kernel, on disk, and of an interrupted daemon.
    ///
    /// @param dataRoot keeps the records of networks, in `network/networks`
    /// @param state keeps what is void after a reboot: on a tmpfs
    /// @param dockers networks that Docker made in the data root. Taken over once, and Docker's own record of them is left as it is
    /// @throws IOException when the default bridge cannot be had
    public static Networks open(NetworksConfig config, Path dataRoot, Path state, List<NetworkRecord> dockers) throws IOException {
        var files = NetworkFiles.open(dataRoot.resolve("network/networks"), state.resolve("unfinished"));
        var host = NetworkHost.open(config.firewall(), LinkAlias.ofEngineAt(state));
        try {
            var space = new AddressSpace(config.pools());
            var networks = new Networks(host, new NetworkFactory(host, space, state), files, space,
                    Set.copyOf(dockers.stream().map(NetworkRecord::id).toList()));
            networks.adopt(dockers);
            networks.take(config);
            host.watchFirewall();
            return networks;
        } catch (IOException | RuntimeException e) {
            host.close();
            throw e;
        }
    }

    private void adopt(List<NetworkRecord> dockers) throws IOException {
        for (NetworkRecord record : dockers) {
            if (!files.knows(record.id()) && Admission.DRIVERS.contains(record.driver())) files.write(record);
        }
    }

    private void take(NetworksConfig config) throws IOException {
        host.forward();
        List<NetworkRecord> records = files.load();
        for (NetworkRecord each : files.unfinished()) finish(each, records);
        records.forEach(this::takeAddresses);
        host.holdFirewalls();
        openAll(config, records);
        host.releaseFirewalls();
    }

    private void openAll(NetworksConfig config, List<NetworkRecord> records) throws IOException {
        String now = now();
        if (config.bridge().isPresent()) {
            var opened = factory.openDefault(config.bridge().get(), config, now);
            takeAddresses(opened.record());
            known.put(opened.record().id(), new Known(opened.record(), Optional.of(opened.network())));
        }
        put(PredefinedNetworks.withoutAddresses(PredefinedNetworks.HOST, "host", now));
        put(PredefinedNetworks.withoutAddresses(PredefinedNetworks.NONE, "null", now));
        for (NetworkRecord record : records) known.put(record.id(), new Known(record, tryToOpen(record)));
    }

    private void put(NetworkRecord record) {
        known.put(record.id(), new Known(record, Optional.empty()));
    }

    private void takeAddresses(NetworkRecord record) {
        for (Ipam.Pool pool : record.ipam().pools()) {
            try {
                space.take(pool.subnet());
            } catch (NetworkException e) {
                LOG.log(Level.WARNING, "network " + record.name() + ": " + e.getMessage());
            }
        }
    }

    /// What an interrupted daemon has not finished: a network with a record was made, one without is not wanted.
    private void finish(NetworkRecord unfinished, List<NetworkRecord> records) {
        try {
            if (records.stream().noneMatch(record -> record.id().equals(unfinished.id()))) factory.remove(unfinished);
            files.forgetNote(unfinished);
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.WARNING, "what is left of network " + unfinished.name() + " cannot be removed: " + e.getMessage());
        }
    }

    private Optional<AddressedNetwork> tryToOpen(NetworkRecord record) {
        if (record.configOnly()) return Optional.empty();
        try {
            return Optional.of(factory.open(record));
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.WARNING, "network " + record.name() + " cannot be had: " + e.getMessage());
            return Optional.empty();
        }
    }

    private static String now() {
        return Instant.now().toString();
    }

    /// The oldest first.
    public List<NetworkRecord> all() {
        return known.values().stream().map(Known::record).sorted(Comparator.comparing(NetworkRecord::created)).toList();
    }

    /// Finds a network by its name, its id, or the beginning of its id, in this order.
    ///
    /// @throws NetworkException when there is none, or several
    public NetworkRecord find(String nameOrId) throws NetworkException {
        List<NetworkRecord> all = all();
        var exact = all.stream().filter(record -> record.name().equals(nameOrId)).findFirst()
                .or(() -> all.stream().filter(record -> record.id().equals(nameOrId)).findFirst());
        if (exact.isPresent()) return exact.get();
        List<NetworkRecord> matches = nameOrId.isEmpty() ? List.of() : all.stream().filter(record -> record.id().startsWith(nameOrId)).toList();
        if (matches.size() > 1) {
            throw NetworkException.invalid("network " + nameOrId + " is ambiguous (" + matches.size() + " matches found based on ID prefix)");
        }
        if (matches.isEmpty()) throw NetworkException.notFound("network " + nameOrId + " not found");
        return matches.getFirst();
    }

    /// @throws NetworkException in Docker's words; then nothing was made
    public NetworkRecord create(NetworkRequest request) throws IOException {
        synchronized (known) {
            var admission = new Admission(all());
            admission.requireNew(request);
            NetworkRequest wanted = admission.withSettingsOf(request);
            String id = randomId();
            if (wanted.configOnly()) {
                var record = record(wanted, id, List.of());
                files.write(record);
                put(record);
                return record;
            }
            var planner = new IpamPlanner(space, host.machine().adding());
            List<Ipam.Pool> pools = planner.plan(wanted);
            try {
                var record = record(wanted, id, pools);
                admission.requireLinkOfItsOwn(record);
                AddressedNetwork network = make(record);
                known.put(id, new Known(record, Optional.of(network)));
                return record;
            } catch (IOException | RuntimeException e) {
                planner.release(pools);
                throw e;
            }
        }
    }

    private static NetworkRecord record(NetworkRequest request, String id, List<Ipam.Pool> pools) {
        return new NetworkRecord(id, request.name(), now(), request.configOnly() ? "null" : request.driver(), request.ipv6(), request.internal(),
                request.attachable(), request.configOnly(), request.configFrom(),
                new Ipam(request.ipamDriver(), request.ipamOptions(), request.ipam(), pools), request.options(), request.labels());
    }

    private AddressedNetwork make(NetworkRecord record) throws IOException {
        files.note(record);
        AddressedNetwork network = null;
        try {
            network = factory.open(record);
            files.write(record);
            files.forgetNote(record);
            return network;
        } catch (IOException | RuntimeException e) {
            try {
                files.remove(record, false);
                if (network == null) factory.remove(record);
                else network.remove();
                files.forgetNote(record);
            } catch (IOException | RuntimeException left) {
                // The note has the next start try again.
                e.addSuppressed(left);
            }
            throw e;
        }
    }

    private static String randomId() {
        byte[] id = new byte[32];
        RANDOM.nextBytes(id);
        return HexFormat.of().formatHex(id);
    }

    /// @throws NetworkException when it is one of those that are always there, or in use
    public NetworkRecord remove(String nameOrId) throws IOException {
        NetworkRecord record = find(nameOrId);
        if (record.predefined()) throw NetworkException.forbidden(record.name() + " is a pre-defined network and cannot be removed");
        synchronized (known) {
            Known present = known.get(record.id());
            if (present == null) throw NetworkException.notFound("network " + nameOrId + " not found");
            if (record.configOnly()) requireUnused(record);
            if (present.network().isPresent() && !present.network().get().retire()) {
                throw NetworkException.forbidden("error while removing network: network " + record.name() + " id " + record.id()
                        + " has active endpoints");
            }
            files.note(record);
            files.remove(record, dockers.contains(record.id()));
            known.remove(record.id());
            if (present.network().isPresent()) present.network().get().remove();
            else if (!record.configOnly()) factory.remove(record);
            record.ipam().pools().forEach(pool -> space.release(pool.subnet()));
            files.forgetNote(record);
            return record;
        }
    }

    private void requireUnused(NetworkRecord record) throws NetworkException {
        if (known.values().stream().anyMatch(other -> other.record().configFrom().equals(record.name()))) {
            throw NetworkException.forbidden("error while removing network: configuration network \"" + record.name() + "\" is in use");
        }
    }

    /// The containers that are on a network now, and run.
    public List<Endpoint> endpoints(String networkId) {
        return Optional.ofNullable(known.get(networkId)).flatMap(Known::network).map(AddressedNetwork::endpoints).orElse(List.of());
    }

    /// What carries a network.
    ///
    /// @throws NetworkException when it is gone, or cannot be had
    AddressedNetwork carrier(NetworkRecord record) throws IOException {
        synchronized (known) {
            Known present = known.get(record.id());
            if (present == null) throw NetworkException.notFound("network " + record.name() + " not found");
            if (present.network().isPresent()) return present.network().get();
            AddressedNetwork opened = factory.open(record);
            known.put(record.id(), new Known(record, Optional.of(opened)));
            return opened;
        }
    }

    /// The networks a container is on.
    List<AddressedNetwork> carriersOf(String containerId) {
        return known.values().stream().map(Known::network).flatMap(Optional::stream)
                .filter(network -> network.endpoint(containerId).isPresent()).toList();
    }

    NetworkHost host() {
        return host;
    }

    /// Leaves networks and containers as they are.
    @Override
    public void close() {
        known.values().forEach(each -> each.network().ifPresent(AddressedNetwork::close));
        host.close();
    }
}
