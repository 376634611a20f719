package io.balena.engine.network;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Link;
import io.balena.engine.linux.NetworkNamespace;
import io.balena.engine.linux.Route;
import io.balena.engine.linux.Rtnetlink;
import io.balena.engine.linux.Sysctl;
import io.balena.engine.network.address.Ip;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Optional;

/// What is set up within a container's network namespace.
final class ContainerSide {
    private static final Logger LOG = System.getLogger(ContainerSide.class.getName());
    private static final Duration CARRIER_LIMIT = Duration.ofMillis(50);
    private static final String IPV6_OFF = "disable_ipv6";

    private ContainerSide() {}

    /// Gives the endpoint's link, which is in the calling thread's namespace, addresses and routes, and switches it on.
    ///
    /// @param wayOut whether the default routes lead through it
    static void configure(Endpoint endpoint, boolean wayOut) throws IOException {
        String name = endpoint.link();
        try (var netlink = Rtnetlink.open()) {
            Link link = netlink.link(name).orElseThrow(() -> new IOException("the container's " + name + " vanished"));
            Link loopback = netlink.link("lo").orElseThrow(() -> new IOException("the container has no loopback link"));
            setIpv6(endpoint, loopback.up());
            // Neighbours hear at once of an address that had another hardware address before.
            Sysctl.ensureOfLink("ipv4", name, "arp_notify", "1");
            if (!loopback.up()) netlink.setUp(loopback.index());
            for (Placement each : endpoint.addresses()) {
                netlink.addAddress(link, each.own().address().inet(), each.own().prefixLength());
            }
            netlink.setUp(link.index());
            if (wayOut) for (Placement each : endpoint.addresses()) addDefaultRoute(netlink, link, each);
            awaitRunning(netlink, name);
        }
    }

    // Before the links come up, or they would get IPv6 addresses of their own. As Docker does for networks without IPv6.
    private static void setIpv6(Endpoint endpoint, boolean hasOthers) throws IOException {
        if (endpoint.ipv6().isPresent()) {
            Sysctl.ensureOfLink("ipv6", "lo", IPV6_OFF, "0");
            Sysctl.ensureOfLink("ipv6", endpoint.link(), IPV6_OFF, "0");
        } else if (hasOthers) {
            Sysctl.ensureOfLink("ipv6", endpoint.link(), IPV6_OFF, "1");
        } else {
            // `all` stands for `default` too.
            Sysctl.ensure("net.ipv6.conf.all.disable_ipv6", "1");
        }
    }

    private static void addDefaultRoute(Rtnetlink netlink, Link link, Placement through) throws IOException {
        if (through.gateway() != null) netlink.addRoute(defaultRoute(link, through));
    }

    private static Route defaultRoute(Link link, Placement through) {
        return new Route((through.v6() ? Ip.ANY_V6 : Ip.ANY).inet(), 0, through.wayOut().filter(gateway -> !gateway.isAny()).map(Ip::inet),
                link.index());
    }

    /// So that the program's first packet, often the question for a name, is not lost: its sender would wait for seconds.
    static void awaitRunning(Rtnetlink netlink, String link) throws IOException {
        if (!netlink.awaitRunning(link, CARRIER_LIMIT)) LOG.log(Level.DEBUG, link + " does not carry traffic yet");
    }

    /// Has the default routes of a running container lead through `endpoint`, or nowhere. Another program's are not asked for.
    static void leadThrough(NetworkNamespace container, Optional<Endpoint> endpoint) throws IOException {
        container.call(() -> {
            try (var netlink = Rtnetlink.open()) {
                for (boolean v6 : new boolean[] {false, true}) {
                    Optional<Placement> placement = endpoint.flatMap(each -> v6 ? each.ipv6() : each.ipv4()).filter(each -> each.gateway() != null);
                    if (placement.isPresent()) replaceDefault(netlink, endpoint.get().link(), placement.get());
                    else removeDefault(netlink, v6);
                }
            }
            return null;
        });
    }

    private static void replaceDefault(Rtnetlink netlink, String name, Placement through) throws IOException {
        Link link = netlink.link(name).orElseThrow(() -> new IOException("the container's " + name + " vanished"));
        netlink.replaceRoute(defaultRoute(link, through));
    }

    private static void removeDefault(Rtnetlink netlink, boolean v6) throws IOException {
        for (Route route : netlink.routes()) {
            if (route.prefixLength() != 0 || route.gateway().isEmpty() || Ip.of(route.destination()).v6() != v6) continue;
            try {
                netlink.deleteRoute(route);
            } catch (ErrnoException e) {
                if (e.errno() != Errno.ESRCH) throw e;
            }
        }
    }
}
