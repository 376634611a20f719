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

/// The cable between a bridge and a container: `veth<7 digits of the endpoint's id>` on the bridge, `eth0` inside.
///
/// The link's alias says whose it is, in words that `ip link` shows. It lasts exactly as long as the link.
final class ContainerLink {
    private static final String INSIDE = "eth0";
    private static final Logger LOG = System.getLogger(ContainerLink.class.getName());
    private static final Duration CARRIER_LIMIT = Duration.ofMillis(50);
    private static final String ALIAS_PREFIX = "balena-engine";

    private final BridgeLink bridge;
    private final String engine;

    /// @param engine tells engines that share the bridge apart
    ContainerLink(BridgeLink bridge, String engine) {
        this.bridge = bridge;
        this.engine = engine;
    }

    /// Makes both ends and has everything inside ready before the container's program starts.
    void connect(Endpoint endpoint, NetworkNamespace container, Rtnetlink netlink) throws IOException {
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
                disconnect(endpoint, netlink);
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
    void disconnect(Endpoint endpoint, Rtnetlink netlink) throws IOException {
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
    List<Endpoint> connected(Rtnetlink netlink) throws IOException {
        return netlink.links().stream().filter(link -> link.master() == bridge.index())
                .map(this::endpointOf).flatMap(Optional::stream).toList();
    }

    private Optional<Endpoint> endpointOf(Link link) {
        String[] words = link.alias().split(" ");
        if (words.length != 6 || !words[0].equals(ALIAS_PREFIX) || !words[1].equals(engine)) return Optional.empty();
        return Optional.of(new Endpoint(words[3], words[2], words[4], bridge.address().prefixLength(),
                bridge.address().address().toString(), words[5], List.of()));
    }

    private String alias(Endpoint endpoint) {
        return String.join(" ", ALIAS_PREFIX, engine, endpoint.containerId(), endpoint.id(), endpoint.address(), endpoint.macAddress());
    }

    private static String nameOf(Endpoint endpoint) {
        return "veth" + endpoint.id().substring(0, 7);
    }
}
