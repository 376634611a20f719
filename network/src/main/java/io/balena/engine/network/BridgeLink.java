package io.balena.engine.network;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Link;
import io.balena.engine.linux.MacAddress;
import io.balena.engine.linux.Rtnetlink;
import io.balena.engine.linux.Sysctl;
import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Ip;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.security.SecureRandom;
import java.util.Optional;
import java.util.function.Supplier;

/// The bridge itself: a link with an address, switched on.
///
/// @param address the bridge's own, which is its containers' gateway
/// @param ipv6 the same; empty without IPv6
record BridgeLink(int index, String name, Cidr address, Optional<Cidr> ipv6, int mtu) {
    private static final Logger LOG = System.getLogger(BridgeLink.class.getName());
    private static final int DEFAULT_MTU = 1500;
    private static final String BRIDGED_FRAMES_PASS_FIREWALL = "net.bridge.bridge-nf-call-iptables";
    private static final String BRIDGED_FRAMES_PASS_FIREWALL_V6 = "net.bridge.bridge-nf-call-ip6tables";
    /// So that containers find their way out by the same address, whatever the network's.
    private static final Cidr LINK_LOCAL = Cidr.parse("fe80::1/64");

    /// Makes the bridge, or takes over the one of that name and adds what it lacks.
    ///
    /// @param mark for a bridge that is made
    /// @param choose finds an address where none is configured and none is there
    /// @throws IOException when the name belongs to something else, or to a bridge with other addresses that is in use
    static BridgeLink ensure(BridgeConfig config, Mark mark, Supplier<Optional<Cidr>> choose, Rtnetlink netlink) throws IOException {
        Link link = ensureLink(config, mark, netlink);
        Cidr address = ensureAddress(config, choose, link, netlink);
        if (config.mtu() != 0 && link.mtu() != config.mtu()) netlink.setMtu(link.index(), config.mtu());
        if (config.ipv6().isPresent()) {
            Sysctl.ensureOfLink("ipv6", link.name(), "disable_ipv6", "0");
            addIfMissing(netlink, link, config.ipv6().get());
            addIfMissing(netlink, link, LINK_LOCAL);
        }
        if (!link.up()) netlink.setUp(link.index());
        return new BridgeLink(link.index(), link.name(), address, config.ipv6(), config.mtu() != 0 ? config.mtu() : link.mtu());
    }

    /// How a bridge is known to be a network's own.
    ///
    /// @param alias that it gets
    /// @param name that no other bridge can have, under which it is made: so it is known even between the making and the alias
    record Mark(String alias, String name) {}

    private static Link ensureLink(BridgeConfig config, Mark mark, Rtnetlink netlink) throws IOException {
        var existing = netlink.link(config.name());
        if (existing.isEmpty()) {
            if (!config.owned()) throw NetworkException.failed("bridge device with non default name " + config.name() + " must be created manually");
            make(config, mark, netlink);
            existing = netlink.link(config.name());
        }
        var link = existing.orElseThrow(() -> new IOException("bridge " + config.name() + " vanished while it was set up"));
        if (!link.kind().equals("bridge")) {
            throw new IOException("cannot use " + config.name() + " as a bridge: a network link of that name exists and is "
                    + (link.kind().isEmpty() ? "no bridge" : "of kind " + link.kind()));
        }
        return link;
    }

    private static void make(BridgeConfig config, Mark mark, Rtnetlink netlink) throws IOException {
        try {
            netlink.addBridge(mark.name(), randomMac(), config.mtu() == 0 ? DEFAULT_MTU : config.mtu());
        } catch (ErrnoException e) {
            // Another engine made it just now, or we did and were interrupted.
            if (e.errno() != Errno.EEXIST) throw e;
        }
        var made = netlink.link(mark.name());
        if (made.isEmpty() || !made.get().kind().equals("bridge")) return;
        if (made.get().alias().isEmpty()) netlink.setAlias(made.get().index(), mark.alias());
        if (!mark.name().equals(config.name())) netlink.rename(made.get().index(), config.name());
    }

    // Given, and not left to the kernel: else it would change to the lowest of the ports' with each container. The beginning
    // is Docker's, locally administered.
    private static MacAddress randomMac() {
        return new MacAddress(0x0242_0000_0000L | new SecureRandom().nextInt() & 0xffff_ffffL);
    }

    private static Cidr ensureAddress(BridgeConfig config, Supplier<Optional<Cidr>> choose, Link link, Rtnetlink netlink) throws IOException {
        var present = netlink.addresses().stream().filter(a -> a.link() == link.index() && !Ip.of(a.address()).v6()).toList();
        var interfaces = present.stream().map(a -> new Cidr(Ip.of(a.address()), a.prefixLength())).toList();
        if (config.address().isEmpty() && !interfaces.isEmpty()) return interfaces.getFirst();

        Cidr wanted = config.address().or(choose).orElseThrow(() -> NetworkException.failed(
                "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"));
        if (interfaces.contains(wanted)) return wanted;
        if (!interfaces.isEmpty() && netlink.links().stream().anyMatch(port -> port.master() == link.index())) {
            throw new IOException("bridge " + link.name() + " cannot get the address " + wanted + ": it has " + interfaces.getFirst()
                    + " and containers of this or another engine on it. Stop them, or choose another bridge");
        }
        for (var old : present) netlink.deleteAddress(old);
        addIfMissing(netlink, link, wanted);
        return wanted;
    }

    private static void addIfMissing(Rtnetlink netlink, Link link, Cidr address) throws IOException {
        try {
            netlink.addAddress(link, address.address().inet(), address.prefixLength());
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) throw e;
        }
    }

    /// Has the bridge go with its network.
    void claim(String alias, Rtnetlink netlink) throws IOException {
        var link = netlink.link(name);
        if (link.isPresent() && link.get().alias().isEmpty()) netlink.setAlias(index, alias);
    }

    /// Takes a bridge away if it carries `alias`: another was there before us, and others may count on it.
    static void remove(String name, String alias, Rtnetlink netlink) throws IOException {
        var link = netlink.link(name);
        if (link.isEmpty() || !link.get().alias().equals(alias)) return;
        try {
            netlink.delete(link.get().index());
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENODEV) throw e;
        }
    }

    /// Sets the kernel parameters of this bridge, all but forwarding.
    void prepare(BridgeConfig config, FirewallSettings machine) {
        // Routers' advertisements from a container must not change the machine's own routes.
        ensureOrWarn("ipv6", "accept_ra", "0");
        if (!machine.iptables()) return;
        // Lets 127.0.0.1:<published port> be redirected to the bridge.
        ensureOrWarn("ipv4", "route_localnet", "1");
        // Frames between two containers pass the firewall only with this.
        ensureOrWarn(BRIDGED_FRAMES_PASS_FIREWALL);
        if (machine.ip6tables() && ipv6.isPresent()) ensureOrWarn(BRIDGED_FRAMES_PASS_FIREWALL_V6);
        if (!config.icc() && !Sysctl.exists(BRIDGED_FRAMES_PASS_FIREWALL)) {
            LOG.log(Level.WARNING, "containers on " + name + " reach each other in spite of icc=false: the kernel module"
                    + " br_netfilter is not loaded");
        }
    }

    private static void ensureOrWarn(String parameter) {
        try {
            Sysctl.ensure(parameter, "1");
        } catch (IOException e) {
            LOG.log(Level.WARNING, "cannot have bridged frames pass the firewall: " + e.getMessage());
        }
    }

    private void ensureOrWarn(String family, String parameter, String value) {
        try {
            Sysctl.ensureOfLink(family, name, parameter, value);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "cannot set " + parameter + " of " + name + " to " + value + ": " + e.getMessage());
        }
    }
}
