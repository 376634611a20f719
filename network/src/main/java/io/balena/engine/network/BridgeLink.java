package io.balena.engine.network;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Link;
import io.balena.engine.linux.MacAddress;
import io.balena.engine.linux.Rtnetlink;
import io.balena.engine.linux.Route;
import io.balena.engine.linux.Sysctl;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.Inet4Address;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;

/// The bridge itself: a link with an address, switched on.
///
/// @param address the bridge's own, which is its containers' gateway
record BridgeLink(int index, String name, Ipv4Interface address, int mtu) {
    private static final Logger LOG = System.getLogger(BridgeLink.class.getName());
    private static final int DEFAULT_MTU = 1500;
    private static final String BRIDGED_FRAMES_PASS_FIREWALL = "net.bridge.bridge-nf-call-iptables";

    /// Makes the bridge, or takes over the one of that name and adds what it lacks.
    ///
    /// @throws IOException when the name belongs to something else, or to a bridge with other addresses that is in use
    static BridgeLink ensure(BridgeConfig config, Rtnetlink netlink) throws IOException {
        Link link = ensureLink(config, netlink);
        Ipv4Interface address = ensureAddress(config, link, netlink);
        if (config.mtu() != 0 && link.mtu() != config.mtu()) netlink.setMtu(link.index(), config.mtu());
        if (!link.up()) netlink.setUp(link.index());
        return new BridgeLink(link.index(), link.name(), address, config.mtu() != 0 ? config.mtu() : link.mtu());
    }

    private static Link ensureLink(BridgeConfig config, Rtnetlink netlink) throws IOException {
        var existing = netlink.link(config.name());
        if (existing.isEmpty()) {
            try {
                netlink.addBridge(config.name(), randomMac(), config.mtu() == 0 ? DEFAULT_MTU : config.mtu());
            } catch (ErrnoException e) {
                // Another engine made it just now.
                if (e.errno() != Errno.EEXIST) throw e;
            }
            existing = netlink.link(config.name());
        }
        var link = existing.orElseThrow(() -> new IOException("bridge " + config.name() + " vanished while it was set up"));
        if (!link.kind().equals("bridge")) {
            throw new IOException("cannot use " + config.name() + " as a bridge: a network link of that name exists and is "
                    + (link.kind().isEmpty() ? "no bridge" : "of kind " + link.kind()));
        }
        return link;
    }

    // Given, and not left to the kernel: else it would change to the lowest of the ports' with each container. The beginning
    // is Docker's, locally administered.
    private static MacAddress randomMac() {
        return new MacAddress(0x0242_0000_0000L | new SecureRandom().nextInt() & 0xffff_ffffL);
    }

    private static Ipv4Interface ensureAddress(BridgeConfig config, Link link, Rtnetlink netlink) throws IOException {
        var present = netlink.addresses().stream()
                .filter(a -> a.link() == link.index() && a.address() instanceof Inet4Address).toList();
        var interfaces = present.stream().map(a -> new Ipv4Interface(Ipv4.of((Inet4Address) a.address()), a.prefixLength())).toList();
        if (config.ownAddress().isEmpty() && !interfaces.isEmpty()) return interfaces.getFirst();

        Ipv4Interface wanted = config.ownAddress().isPresent() ? config.ownAddress().get() : choose(config, netlink);
        if (interfaces.contains(wanted)) return wanted;
        if (!interfaces.isEmpty() && netlink.links().stream().anyMatch(port -> port.master() == link.index())) {
            throw new IOException("bridge " + link.name() + " cannot get the address " + wanted + ": it has " + interfaces.getFirst()
                    + " and containers of this or another engine on it. Stop them, or choose another bridge");
        }
        for (var old : present) netlink.deleteAddress(old);
        try {
            netlink.addAddress(link, wanted.address().inet(), wanted.prefixLength());
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) throw e;
        }
        return wanted;
    }

    private static Ipv4Interface choose(BridgeConfig config, Rtnetlink netlink) throws IOException {
        Subnet subnet = DefaultSubnets.choose(taken(netlink)).orElseThrow(() -> new IOException(
                "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"));
        LOG.log(Level.INFO, "Default bridge (" + config.name() + ") is assigned with an IP address " + subnet
                + ". Daemon option --bip can be used to set a preferred IP address");
        return new Ipv4Interface(new Ipv4(subnet.first().bits() + 1), subnet.prefixLength());
    }

    /// Networks this machine reaches, and its resolvers: a bridge over one of those would cut it off.
    private static List<Subnet> taken(Rtnetlink netlink) throws IOException {
        var taken = new ArrayList<Subnet>();
        for (Route route : netlink.routes()) {
            if (route.prefixLength() > 0 && route.destination() instanceof Inet4Address destination) {
                taken.add(Subnet.around(Ipv4.of(destination), route.prefixLength()));
            }
        }
        for (var address : netlink.addresses()) {
            if (address.address() instanceof Inet4Address own) taken.add(Subnet.around(Ipv4.of(own), address.prefixLength()));
        }
        taken.addAll(resolvers());
        return taken;
    }

    private static List<Subnet> resolvers() {
        var resolvers = new ArrayList<Subnet>();
        try {
            for (String line : Files.readAllLines(Path.of("/etc/resolv.conf"))) {
                String[] words = line.strip().split("\\s+");
                if (words.length < 2 || !words[0].equals("nameserver") || words[1].indexOf(':') >= 0) continue;
                resolvers.add(Subnet.around(Ipv4.parse(words[1]), 32));
            }
        } catch (IOException | IllegalArgumentException e) {
            LOG.log(Level.DEBUG, "resolvers are not considered in the choice of a network", e);
        }
        return resolvers;
    }

    /// Sets the kernel parameters of this bridge, all but forwarding.
    void prepare(BridgeConfig config) {
        // Routers' advertisements from a container must not change the machine's own routes.
        ensureOrWarn("ipv6", "accept_ra", "0");
        if (!config.iptables()) return;
        // Lets 127.0.0.1:<published port> be redirected to the bridge.
        ensureOrWarn("ipv4", "route_localnet", "1");
        // Frames between two containers pass the firewall only with this.
        try {
            Sysctl.ensure(BRIDGED_FRAMES_PASS_FIREWALL, "1");
        } catch (IOException e) {
            LOG.log(Level.WARNING, "cannot have bridged frames pass the firewall: " + e.getMessage());
        }
        if (!config.icc() && !Sysctl.exists(BRIDGED_FRAMES_PASS_FIREWALL)) {
            LOG.log(Level.WARNING, "containers on " + name + " reach each other in spite of icc=false: the kernel module"
                    + " br_netfilter is not loaded");
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
