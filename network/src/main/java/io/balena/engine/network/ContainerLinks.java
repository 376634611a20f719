package io.balena.engine.network;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Link;
import io.balena.engine.linux.MacAddress;
import io.balena.engine.linux.NetworkNamespace;
import io.balena.engine.linux.Route;
import io.balena.engine.linux.Rtnetlink;
import io.balena.engine.linux.Sysctl;
import io.balena.engine.linux.VethPair;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// The cables between a bridge and its containers: `veth<7 digits of the endpoint's id>` on the bridge, `eth0` inside.
///
/// A link's alias says whose it is, in words that `ip link` shows. It lasts exactly as long as the link.
final class ContainerLinks implements AutoCloseable {
    private static final String INSIDE = "eth0";
    private static final Logger LOG = System.getLogger(ContainerLinks.class.getName());
    private static final Duration CARRIER_LIMIT = Duration.ofMillis(50);
    private static final String ALIAS_PREFIX = "balena-engine";

    private final Machine machine;
    private final BridgeLink bridge;
    private final String engine;

    /// @param machine closed with this
    /// @param engine tells engines that share the bridge apart
    ContainerLinks(Machine machine, BridgeLink bridge, String engine) {
        this.machine = machine;
        this.bridge = bridge;
        this.engine = engine;
    }

    /// Makes both ends and has everything inside ready before the container's program starts.
    ///
    /// @param pid of a process in the container's network namespace
    void connect(Endpoint endpoint, int pid) throws IOException {
        try (var container = NetworkNamespace.ofProcess(pid)) {
            // Its default route would become the machine's.
            if (container.isSameAs(machine.namespace())) {
                throw new IOException("process " + pid + " is in the machine's own network namespace");
            }
            connect(endpoint, container);
        }
    }

    private void connect(Endpoint endpoint, NetworkNamespace container) throws IOException {
        var netlink = machine.adding();
        var mac = MacAddress.parse(endpoint.macAddress());
        netlink.addVeth(new VethPair(nameOf(endpoint), bridge.index(), INSIDE, mac, bridge.mtu()), container);
        try {
            netlink.enableBridgePort(nameOf(endpoint), alias(endpoint));
            container.call(() -> {
                configureInside(endpoint);
                return null;
            });
            awaitRunning(netlink, nameOf(endpoint));
            awaitRunning(netlink, bridge.name());
        } catch (IOException | RuntimeException e) {
            try {
                disconnect(endpoint);
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw e;
        }
    }

    private static void configureInside(Endpoint endpoint) throws IOException {
        // Before the links come up, or they would get IPv6 addresses first. As Docker does for a network without IPv6. `all`
        // stands for `default` too.
        Sysctl.ensure("net.ipv6.conf.all.disable_ipv6", "1");
        // Neighbours hear at once of an address that had another hardware address before.
        Sysctl.ensureOfLink("ipv4", INSIDE, "arp_notify", "1");
        try (var netlink = Rtnetlink.open()) {
            netlink.setUp("lo");
            Link eth0 = netlink.link(INSIDE).orElseThrow(() -> new IOException("the container's " + INSIDE + " vanished"));
            netlink.addAddress(eth0, Ipv4.parse(endpoint.address()).inet(), endpoint.prefixLength());
            netlink.setUp(eth0.index());
            var gateway = Ipv4.parse(endpoint.gateway()).inet();
            netlink.addRoute(new Route(Ipv4.ANY.inet(), 0, Optional.of(gateway), eth0.index()));
            awaitRunning(netlink, INSIDE);
        }
    }

    /// So that the program's first packet, often the question for a name, is not lost: its sender would wait for seconds.
    private static void awaitRunning(Rtnetlink netlink, String link) throws IOException {
        if (!netlink.awaitRunning(link, CARRIER_LIMIT)) LOG.log(Level.DEBUG, link + " does not carry traffic yet");
    }

    /// Removes both ends. They are gone already when the container's namespace is.
    void disconnect(Endpoint endpoint) throws IOException {
        var netlink = machine.removing();
        var link = netlink.link(nameOf(endpoint));
        // Seven digits can be equal by chance; the link of another engine's container is left alone.
        if (link.isEmpty() || !link.get().alias().isEmpty() && !link.get().alias().equals(alias(endpoint))) return;
        try {
            netlink.delete(link.get().index());
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENODEV) throw e;
        }
    }

    /// Endpoints of this engine as far as the links on the bridge tell: all but the ports.
    List<Endpoint> connected() throws IOException {
        return machine.adding().links().stream().filter(link -> link.master() == bridge.index())
                .map(this::endpointOf).flatMap(Optional::stream).toList();
    }

    private Optional<Endpoint> endpointOf(Link link) {
        String[] words = link.alias().split(" ");
        if (words.length != 6 || !words[0].equals(ALIAS_PREFIX) || !words[1].equals(engine)) return Optional.empty();
        try {
            return Optional.of(new Endpoint(words[3], words[2], Ipv4.parse(words[4]).toString(), bridge.address().prefixLength(),
                    bridge.address().address().toString(), MacAddress.parse(words[5]).toString(), List.of()));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private String alias(Endpoint endpoint) {
        return String.join(" ", ALIAS_PREFIX, engine, endpoint.containerId(), endpoint.id(), endpoint.address(), endpoint.macAddress());
    }

    private static String nameOf(Endpoint endpoint) {
        return "veth" + endpoint.id().substring(0, 7);
    }

    @Override
    public void close() {
        machine.close();
    }
}
