package io.balena.engine.network;

import java.util.Optional;

/// How the default bridge is laid out.
///
/// @param name of the link, e.g. `balena0`
/// @param address the bridge's own address with its prefix length, e.g. `172.17.0.1/16`; empty to keep that of an existing
///     bridge, or to choose a free range
/// @param fixedCidr the part of the bridge's network that containers get addresses from, e.g. `172.17.128.0/17`; empty for all.
///     Two engines on one bridge have one part each
/// @param mtu 0 for the default of 1500
/// @param ipForward whether to switch on forwarding between the machine's links
/// @param iptables whether firewall rules are made at all; without them no port is published
/// @param icc whether containers on the bridge reach each other
public record BridgeConfig(
        String name, Optional<String> address, Optional<String> fixedCidr, int mtu, boolean ipForward, boolean iptables,
        boolean ipMasquerade, boolean icc) {
    /// `IFNAMSIZ` less the terminating zero.
    private static final int LONGEST_NAME = 15;

    /// @throws IllegalArgumentException when no bridge can be made of these values; nothing was done yet
    public BridgeConfig {
        if (!name.matches("[a-zA-Z0-9][a-zA-Z0-9_.-]*") || name.length() > LONGEST_NAME) {
            throw new IllegalArgumentException("invalid bridge name \"" + name + "\": at most " + LONGEST_NAME
                    + " letters, digits, dots, dashes and underscores");
        }
        if (mtu < 0 || mtu > 65535 || mtu > 0 && mtu < 68) throw new IllegalArgumentException("invalid MTU: " + mtu);
        Optional<Ipv4Interface> own = address.map(Ipv4Interface::parse);
        own.ifPresent(Ipv4Interface::requireHostAddress);
        Optional<Subnet> range = fixedCidr.map(Subnet::parse);
        if (own.isPresent() && range.isPresent() && !own.get().subnet().contains(range.get())) {
            throw new IllegalArgumentException("fixed range " + range.get() + " is not within the bridge's network " + own.get().subnet());
        }
    }

    public BridgeConfig(
            String name, Optional<String> address, int mtu, boolean ipForward, boolean iptables, boolean ipMasquerade, boolean icc) {
        this(name, address, Optional.empty(), mtu, ipForward, iptables, ipMasquerade, icc);
    }

    Optional<Ipv4Interface> ownAddress() {
        return address.map(Ipv4Interface::parse);
    }

    Optional<Subnet> range() {
        return fixedCidr.map(Subnet::parse);
    }
}
