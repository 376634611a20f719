package io.balena.engine.network;

import io.balena.engine.linux.MacAddress;
import io.balena.engine.linux.Sysctl;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/// One bridge on the host and the containers on it.
///
/// Safe for use by many threads. Endpoints survive a restart of the daemon in small files; see the module's README.
public final class BridgeNetwork implements AutoCloseable {
    private static final Logger LOG = System.getLogger(BridgeNetwork.class.getName());
    private static final Pattern CONTAINER_ID = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}");
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String FORWARDING = "net.ipv4.ip_forward";

    private final BridgeLink bridge;
    private final BridgeClaim claim;
    private final AddressPool addresses;
    private final ContainerLinks links;
    private final PublishedPorts published;
    private final StoredEndpoints stored;
    /// By container.
    private final Map<String, Place> places = new ConcurrentHashMap<>();

    /// A container's place on the bridge, and the lock under which it is changed.
    private static final class Place {
        final Endpoint endpoint;
        boolean released;

        Place(Endpoint endpoint) {
            this.endpoint = endpoint;
        }
    }

    private BridgeNetwork(BridgeConfig config, Path stateDirectory, Machine machine) throws IOException {
        this.bridge = BridgeLink.ensure(config, machine.adding());
        var subnet = bridge.address().subnet();
        var range = config.range().orElse(subnet);
        if (!subnet.contains(range)) {
            throw new IllegalArgumentException("fixed range " + range + " is not within the bridge's network " + subnet);
        }
        this.addresses = new AddressPool(subnet, range);
        this.links = new ContainerLinks(machine, bridge, engineId(stateDirectory));
        var rules = new BridgeRules(bridge.name(), subnet, range, config.ipMasquerade(), config.icc());
        this.published = new PublishedPorts(firewall(config, rules));
        this.stored = StoredEndpoints.open(stateDirectory.resolve(bridge.name()));
        this.claim = BridgeClaim.take(bridge.name(), range);
    }

    /// Makes or takes over the bridge, its address, forwarding and firewall rules.
    ///
    /// @param stateDirectory where addresses in use are kept, e.g. `<exec-root>/network`. They are void after a reboot, so a
    ///     directory on tmpfs serves and spares the flash
    /// @throws IOException when the name is another link's, or another engine gives out the same addresses on the bridge
    public static BridgeNetwork open(BridgeConfig config, Path stateDirectory) throws IOException {
        var machine = Machine.open();
        BridgeNetwork network;
        try {
            network = new BridgeNetwork(config, stateDirectory, machine);
        } catch (IOException | RuntimeException e) {
            machine.close();
            throw e;
        }
        try {
            network.resume();
            network.bridge.prepare(config);
            // The firewall first: never is the machine an open router, not even after a power cut right here.
            boolean forwardingIsNew = config.ipForward() && !Sysctl.read(FORWARDING).equals("1");
            network.published.open(network.endpoints(), forwardingIsNew);
            if (forwardingIsNew) Sysctl.ensure(FORWARDING, "1");
            return network;
        } catch (IOException | RuntimeException e) {
            network.close();
            throw e;
        }
    }

    private static Optional<Firewall> firewall(BridgeConfig config, BridgeRules rules) {
        if (!config.iptables()) return Optional.empty();
        var iptables = Iptables.find();
        if (iptables.isEmpty()) {
            LOG.log(Level.WARNING, "Could not find iptables: containers on " + config.name() + " are not protected, have no way out"
                    + " through this machine's address, and publish no ports");
        }
        return iptables.map(found -> new Firewall(found, rules));
    }

    /// Engines are told apart by where they keep their state, which no two can share.
    private static String engineId(Path stateDirectory) {
        try {
            byte[] path = stateDirectory.toAbsolutePath().normalize().toString().getBytes(StandardCharsets.UTF_8);
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(path), 0, 6);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-256", e);
        }
    }

    /// Takes up the endpoints that an earlier daemon left in use.
    private void resume() throws IOException {
        addresses.reserve(bridge.address().address());
        stored.load().forEach(this::resume);
        for (Endpoint endpoint : links.connected()) {
            if (places.containsKey(endpoint.containerId())) continue;
            LOG.log(Level.WARNING, "the record of container " + endpoint.containerId() + " on " + bridge.name()
                    + " is lost; taken from its link " + endpoint.address() + ". Its published ports stay closed until it is restarted");
            resume(endpoint);
        }
    }

    private void resume(Endpoint endpoint) {
        addresses.reserve(Ipv4.parse(endpoint.address()));
        published.resume(endpoint);
        places.put(endpoint.containerId(), new Place(endpoint));
    }

    /// Reserves an address for a container that is about to be created, and its ports on the host.
    ///
    /// Ports on IPv6 addresses of the host are left out, as Docker leaves them out of a network without IPv6.
    ///
    /// @param macAddress empty to derive one from the address
    /// @throws AddressesExhausted when the network is full
    /// @throws PortUnavailable when a port is taken
    public Endpoint allocate(String containerId, Optional<String> macAddress, List<PortBinding> ports) throws IOException {
        if (!CONTAINER_ID.matcher(containerId).matches()) throw new IllegalArgumentException("invalid container id: " + containerId);
        if (places.containsKey(containerId)) throw alreadyHere(containerId);
        Optional<MacAddress> mac = macAddress.map(MacAddress::parse);
        var wanted = ports.stream().filter(port -> !port.isIpv6()).toList();
        String id = randomId();
        Ipv4 address = addresses.allocate().orElseThrow(() -> new AddressesExhausted(bridge.name()));
        List<PortBinding> chosen = List.of();
        try {
            chosen = published.reserve(id, wanted);
            var endpoint = new Endpoint(id, containerId, address.toString(), bridge.address().prefixLength(), gateway(),
                    mac.orElse(address.mac()).toString(), chosen);
            enter(endpoint);
            return endpoint;
        } catch (IOException | RuntimeException e) {
            published.release(chosen);
            addresses.release(address);
            throw e;
        }
    }

    private void enter(Endpoint endpoint) throws IOException {
        if (places.putIfAbsent(endpoint.containerId(), new Place(endpoint)) != null) throw alreadyHere(endpoint.containerId());
        try {
            stored.write(endpoint);
        } catch (IOException | RuntimeException e) {
            places.remove(endpoint.containerId());
            throw e;
        }
    }

    private static IOException alreadyHere(String containerId) {
        return new IOException("endpoint with name " + containerId + " already exists in network bridge");
    }

    private static String randomId() {
        byte[] id = new byte[32];
        RANDOM.nextBytes(id);
        return HexFormat.of().formatHex(id);
    }

    /// Puts one end of a veth pair on the bridge and the other, as `eth0` with address and default route, into the network
    /// namespace of `pid`; publishes its ports.
    ///
    /// After a failure nothing of it is left but the reservation, which is still to be released.
    public void attach(Endpoint endpoint, int pid) throws IOException {
        var place = places.get(endpoint.containerId());
        if (place == null) throw new IOException("container " + endpoint.containerId() + " is not on " + bridge.name());
        synchronized (place) {
            if (place.released || !endpoint.equals(place.endpoint)) {
                throw new IOException("container " + endpoint.containerId() + " is no longer on " + bridge.name());
            }
            links.connect(endpoint, pid);
            try {
                published.publish(endpoint);
            } catch (IOException e) {
                links.disconnect(endpoint);
                throw e;
            }
        }
    }

    /// Takes a container off the bridge: link, rules, ports and address. Does nothing when it is not on it.
    ///
    /// @throws IOException when something could not be taken away; the address is not given to others then, and the next call
    ///     tries again
    public void release(String containerId) throws IOException {
        var place = places.get(containerId);
        if (place == null) return;
        synchronized (place) {
            if (place.released) return;
            // Rules first: a rule that outlived the address would lead the port to its next owner.
            published.withdraw(place.endpoint);
            links.disconnect(place.endpoint);
            stored.remove(containerId);
            place.released = true;
            places.remove(containerId);
            published.release(place.endpoint.ports());
            addresses.release(Ipv4.parse(place.endpoint.address()));
        }
    }

    /// Endpoints in use. After a restart the daemon releases those whose containers are gone.
    public List<Endpoint> endpoints() {
        return places.values().stream().map(place -> place.endpoint).toList();
    }

    /// Network address with prefix length, e.g. `172.17.0.0/16`.
    public String subnet() {
        return bridge.address().subnet().toString();
    }

    public String gateway() {
        return bridge.address().address().toString();
    }

    /// Leaves bridge, rules and containers as they are.
    @Override
    public void close() {
        published.close();
        claim.close();
        links.close();
    }
}
