package io.balena.engine.network;

import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
import java.util.Map;
import java.util.Optional;

/// How a bridge is laid out.
///
/// @param name of the link, e.g. `balena0`
/// @param address the bridge's own address with its prefix length, e.g. `172.17.0.1/16`; empty to keep that of an existing
///     bridge, or to choose a free range
/// @param fixedCidr the part of the bridge's network that containers get addresses from, e.g. `172.17.128.0/17`; empty for all.
///     Two engines on one bridge have one part each
/// @param ipv6 the bridge's own IPv6 address; empty for a bridge without IPv6
/// @param mtu 0 for the default of 1500
/// @param masquerade whether containers leave with the machine's address
/// @param icc whether containers on the bridge reach each other
/// @param internal whether nothing leads out of it
/// @param hostBinding address of the machine on which ports are published that name none
/// @param owned whether it is the engine's: made when it is missing, and removed with its network. Another is used as it is
public record BridgeConfig(String name, Optional<Cidr> address, Optional<Subnet> fixedCidr, Optional<Cidr> ipv6, int mtu, boolean masquerade,
        boolean icc, boolean internal, Ip hostBinding, boolean owned) {
    /// `IFNAMSIZ` less the terminating zero.
    private static final int LONGEST_NAME = 15;

    /// @throws IllegalArgumentException when no bridge can be made of these values; nothing was done yet
    public BridgeConfig {
        if (!name.matches("[a-zA-Z0-9][a-zA-Z0-9_.-]*") || name.length() > LONGEST_NAME) {
            throw new IllegalArgumentException("invalid bridge name \"" + name + "\": at most " + LONGEST_NAME
                    + " letters, digits, dots, dashes and underscores");
        }
        if (mtu < 0 || mtu > 65535 || mtu > 0 && mtu < 68) throw new IllegalArgumentException("invalid MTU: " + mtu);
        address.ifPresent(Cidr::requireHostAddress);
        if (address.isPresent() && fixedCidr.isPresent() && !address.get().subnet().contains(fixedCidr.get())) {
            throw new IllegalArgumentException("fixed range " + fixedCidr.get() + " is not within the bridge's network " + address.get().subnet());
        }
    }

    /// One that leaves everything open.
    public static BridgeConfig named(String name) {
        return new BridgeConfig(name, Optional.empty(), Optional.empty(), Optional.empty(), 0, true, true, false, Ip.ANY, true);
    }

    public BridgeConfig at(Cidr own) {
        return new BridgeConfig(name, Optional.of(own), fixedCidr, ipv6, mtu, masquerade, icc, internal, hostBinding, owned);
    }

    public BridgeConfig giving(Subnet range) {
        return new BridgeConfig(name, address, Optional.of(range), ipv6, mtu, masquerade, icc, internal, hostBinding, owned);
    }

    /// Docker's `com.docker.network.bridge.*` and `com.docker.network.driver.mtu`.
    ///
    /// @throws NetworkException in Docker's words for a value that is none
    static BridgeConfig of(NetworkRecord network) throws NetworkException {
        Map<String, String> options = network.options();
        String name = BridgeOption.NAME.of(options).filter(given -> !given.isEmpty()).orElse("br-" + network.shortId());
        try {
            return new BridgeConfig(name, gateway(network, false), Optional.empty(), gateway(network, true), BridgeOption.mtu(options),
                    BridgeOption.MASQUERADE.flag(options) && !network.internal(), BridgeOption.ICC.flag(options), network.internal(),
                    BridgeOption.hostBinding(options), true);
        } catch (IllegalArgumentException e) {
            throw NetworkException.invalid(e.getMessage());
        }
    }

    /// Its part of the firewall.
    ///
    /// @param range the addresses that containers of this engine get
    BridgeRules rules(Subnet subnet, Subnet range) {
        return new BridgeRules(name, subnet, range, masquerade, icc, internal);
    }

    private static Optional<Cidr> gateway(NetworkRecord network, boolean v6) {
        return network.ipam().pools().stream().filter(pool -> pool.v6() == v6).findFirst()
                .map(pool -> new Cidr(pool.gateway(), pool.subnet().prefixLength()));
    }
}
