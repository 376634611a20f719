package io.balena.engine.network;

import io.balena.engine.linux.MacAddress;
import io.balena.engine.linux.NetworkNamespace;
import io.balena.engine.network.address.AddressPool;
import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Ip;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/// A network that gives addresses to containers, and the containers on it.
///
/// Safe for use by many threads. Endpoints survive a restart of the daemon in small files; see the module's README.
final class AddressedNetwork {
    private static final Logger LOG = System.getLogger(AddressedNetwork.class.getName());
    private static final Pattern CONTAINER_ID = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}");
    private static final SecureRandom RANDOM = new SecureRandom();

    private final String name;
    private final List<AddressPool> pools;
    private final Map<AddressPool, Optional<Ip>> gateways;
    private final boolean ownAddresses;
    private final Segment segment;
    private final NetworkNamespace machine;
    private final StoredEndpoints stored;
    /// By container.
    private final Map<String, Place> places = new ConcurrentHashMap<>();
    private boolean retired;

    /// A container's place on the network, and the lock under which it is changed.
    private static final class Place {
        volatile Endpoint endpoint;
        boolean released;

        Place(Endpoint endpoint) {
            this.endpoint = endpoint;
        }
    }

    /// @param name as Docker shows it in messages
    /// @param gateways by which containers leave each pool's network; the address is taken already
    /// @param ownAddresses whether containers may ask for certain ones
    /// @param state where endpoints are kept; on a tmpfs
    AddressedNetwork(String name, Map<AddressPool, Optional<Ip>> gateways, boolean ownAddresses, Segment segment, NetworkNamespace machine,
            Path state) throws IOException {
        this.name = name;
        this.pools = List.copyOf(gateways.keySet());
        this.gateways = gateways;
        this.ownAddresses = ownAddresses;
        this.segment = segment;
        this.machine = machine;
        this.stored = StoredEndpoints.open(state);
        stored.load().forEach(this::resume);
        for (Endpoint endpoint : segment.connected()) {
            if (places.containsKey(endpoint.containerId())) continue;
            LOG.log(Level.WARNING, "the record of container " + endpoint.containerId() + " on " + name + " is lost; taken from its link "
                    + endpoint.address(false).map(Ip::toString).orElse("") + ". Its published ports stay closed until it is restarted");
            resume(endpoint);
        }
        segment.open(endpoints());
    }

    /// Takes up an endpoint that an earlier daemon left in use.
    private void resume(Endpoint endpoint) {
        endpoint.addresses().forEach(each -> poolOf(each.own().address()).ifPresent(pool -> pool.reserve(each.own().address())));
        places.put(endpoint.containerId(), new Place(endpoint));
    }

    private Optional<AddressPool> poolOf(Ip address) {
        return pools.stream().filter(pool -> pool.subnet().contains(address)).findFirst();
    }

    /// Reserves addresses for a container that is about to be connected, and its ports on the machine.
    ///
    /// @throws NetworkException when the network is full, or an address taken or none of its own
    /// @throws PortUnavailable when a port is taken
    Endpoint allocate(EndpointRequest request) throws IOException {
        String containerId = request.of().containerId();
        if (!CONTAINER_ID.matcher(containerId).matches()) throw new IllegalArgumentException("invalid container id: " + containerId);
        if (places.containsKey(containerId)) throw alreadyHere(request);
        for (Ip own : request.addresses()) {
            if (poolOf(own).isEmpty()) {
                throw NetworkException.invalid("Invalid address " + own + ": It does not belong to any of this network's subnets");
            }
        }
        var placements = new ArrayList<Placement>();
        List<PortBinding> chosen = List.of();
        try {
            for (AddressPool pool : pools) {
                Ip address = address(pool, request.address(pool.subnet().first().v6()));
                placements.add(new Placement(new Cidr(address, pool.subnet().prefixLength()), gateways.get(pool).orElse(null)));
            }
            var endpoint = new Endpoint(randomId(), request.of(), List.copyOf(placements), mac(request, placements), request.link(), List.of(),
                    request.peers());
            chosen = segment.reserve(endpoint, request.ports());
            endpoint = endpoint.with(chosen);
            enter(endpoint, request);
            return endpoint;
        } catch (IOException | RuntimeException e) {
            segment.release(chosen);
            release(placements);
            throw e;
        }
    }

    private Ip address(AddressPool pool, Optional<Ip> own) throws NetworkException {
        if (own.isPresent()) {
            if (!pool.reserve(own.get())) throw NetworkException.forbidden("Address already in use");
            return own.get();
        }
        return pool.allocate().orElseThrow(() -> NetworkException.failed("no available IPv" + (pool.subnet().first().v6() ? 6 : 4)
                + " addresses on this network's address pools: " + name));
    }

    private static MacAddress mac(EndpointRequest request, List<Placement> placements) {
        return request.mac().or(() -> placements.stream().map(each -> each.own().address()).filter(ip -> !ip.v6()).findFirst().map(Ip::mac))
                .orElseGet(() -> new MacAddress(0x0242_0000_0000L | RANDOM.nextInt() & 0xffff_ffffL));
    }

    private void release(List<Placement> placements) {
        for (Placement each : placements) {
            Ip address = each.own().address();
            poolOf(address).ifPresent(pool -> pool.release(address));
        }
    }

    private void enter(Endpoint endpoint, EndpointRequest request) throws IOException {
        synchronized (this) {
            if (retired) throw NetworkException.notFound("network " + request.of().networkName() + " not found");
            if (places.putIfAbsent(endpoint.containerId(), new Place(endpoint)) != null) throw alreadyHere(request);
        }
        try {
            stored.write(endpoint);
        } catch (IOException | RuntimeException e) {
            places.remove(endpoint.containerId());
            throw e;
        }
    }

    private static NetworkException alreadyHere(EndpointRequest request) {
        return NetworkException.forbidden("endpoint with name " + request.of().containerName() + " already exists in network "
                + request.of().networkName());
    }

    private static String randomId() {
        byte[] id = new byte[32];
        RANDOM.nextBytes(id);
        return HexFormat.of().formatHex(id);
    }

    /// Whether containers may ask for certain addresses: not where Docker chose the network, since another may be chosen next time.
    boolean givesAddressesAskedFor() {
        return ownAddresses;
    }

    /// Puts a link into the network namespace of `pid`, with addresses and routes; publishes the endpoint's ports.
    ///
    /// After a failure nothing of it is left but the reservation, which is still to be released.
    ///
    /// @param wayOut whether the container's default route leads through it
    void attach(Endpoint endpoint, int pid, boolean wayOut) throws IOException {
        var place = placeOf(endpoint.containerId());
        synchronized (place) {
            if (place.released || !endpoint.equals(place.endpoint)) throw notHere(endpoint.containerId());
            try (var container = NetworkNamespace.ofProcess(pid)) {
                // Its default route would become the machine's.
                if (container.isSameAs(machine)) throw new IOException("process " + pid + " is in the machine's own network namespace");
                segment.connect(endpoint, container, wayOut);
                publishOrDisconnect(endpoint, container);
            }
        }
    }

    private void publishOrDisconnect(Endpoint endpoint, NetworkNamespace container) throws IOException {
        try {
            segment.publish(endpoint);
        } catch (IOException | RuntimeException e) {
            try {
                segment.disconnect(endpoint, Optional.of(container));
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw e;
        }
    }

    /// Keeps ports for a container that is yet to be attached.
    Endpoint reserve(String containerId, List<PortBinding> ports) throws IOException {
        return reserve(containerId, ports, false);
    }

    /// Publishes ports of a container that is connected already.
    Endpoint publish(String containerId, List<PortBinding> ports) throws IOException {
        return reserve(containerId, ports, true);
    }

    private Endpoint reserve(String containerId, List<PortBinding> ports, boolean publish) throws IOException {
        var place = placeOf(containerId);
        synchronized (place) {
            List<PortBinding> chosen = segment.reserve(place.endpoint, ports);
            var next = place.endpoint.with(chosen);
            try {
                stored.write(next);
                if (publish) segment.publish(next);
            } catch (IOException | RuntimeException e) {
                segment.release(chosen);
                stored.write(place.endpoint);
                throw e;
            }
            place.endpoint = next;
            return next;
        }
    }

    /// Takes back what [#publish] or [#attach] published.
    Endpoint withdraw(String containerId) throws IOException {
        var place = placeOf(containerId);
        synchronized (place) {
            if (place.endpoint.ports().isEmpty()) return place.endpoint;
            segment.withdraw(place.endpoint);
            var next = place.endpoint.with(List.<PortBinding>of());
            stored.write(next);
            segment.release(place.endpoint.ports());
            place.endpoint = next;
            return next;
        }
    }

    /// Others find the container under another name from now on.
    void rename(String containerId, String to) throws IOException {
        var place = placeOf(containerId);
        synchronized (place) {
            var next = place.endpoint.with(place.endpoint.of().renamed(to));
            stored.write(next);
            place.endpoint = next;
        }
    }

    private Place placeOf(String containerId) throws IOException {
        var place = places.get(containerId);
        if (place == null) throw notHere(containerId);
        return place;
    }

    private IOException notHere(String containerId) {
        return new IOException("container " + containerId + " is not on " + name);
    }

    /// Takes a container off the network: link, rules, ports and address. Does nothing when it is not on it.
    ///
    /// @param namespace of the container; empty when it is gone
    /// @throws IOException when something could not be taken away; the address is not given to others then, and the next call
    ///     tries again
    void release(String containerId, Optional<NetworkNamespace> namespace) throws IOException {
        var place = places.get(containerId);
        if (place == null) return;
        synchronized (place) {
            if (place.released) return;
            // Rules first: a rule that outlived the address would lead the port to its next owner.
            segment.withdraw(place.endpoint);
            segment.disconnect(place.endpoint, namespace);
            stored.remove(containerId);
            place.released = true;
            places.remove(containerId);
            segment.release(place.endpoint.ports());
            release(place.endpoint.addresses());
        }
    }

    /// Endpoints in use. After a restart the daemon releases those whose containers are gone.
    List<Endpoint> endpoints() {
        return places.values().stream().map(place -> place.endpoint).toList();
    }

    Optional<Endpoint> endpoint(String containerId) {
        return Optional.ofNullable(places.get(containerId)).map(place -> place.endpoint);
    }

    /// From now on nobody enters.
    ///
    /// @return whether it is empty; else all stays as it is
    synchronized boolean retire() {
        retired = places.isEmpty();
        return retired;
    }

    /// Removes the network from the machine, after [#retire].
    void remove() throws IOException {
        segment.remove();
        stored.removeDirectory();
    }

    /// Leaves everything to the containers.
    void close() {
        segment.close();
    }
}
