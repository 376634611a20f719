package io.balena.engine.daemon;

import io.balena.engine.network.BridgeConfig;
import io.balena.engine.network.FirewallSettings;
import io.balena.engine.network.NetworksConfig;
import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.DefaultPools;
import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// What the flags say of networks.
final class NetworkFlags {
    private static final String OWN_BRIDGE = "balena0";

    private NetworkFlags() {}

    /// @throws IllegalArgumentException with dockerd's words when they contradict each other or cannot be served
    static EngineConfig.Network of(Settings settings) {
        boolean iptables = settings.flag("iptables");
        if (!settings.flag("icc") && !iptables) {
            throw new IllegalArgumentException("You specified --iptables=false with --icc=false. ICC=false uses iptables to function. "
                    + "Please set --icc or --iptables to true");
        }
        var gateways = Stream.of("default-gateway", "default-gateway-v6").map(settings::optional).flatMap(Optional::stream).map(Ip::parse).toList();
        List<String> pools = settings.list("default-address-pool");
        var networks = new NetworksConfig(bridge(settings), gateways,
                pools.isEmpty() ? DefaultPools.DOCKERS : new DefaultPools(pools.stream().map(DefaultPools::parse).toList()),
                new FirewallSettings(settings.flag("ip-forward"), iptables, settings.flag("ip6tables")));
        return new EngineConfig.Network(networks, settings.optional("host-gateway-ip"));
    }

    private static Optional<BridgeConfig> bridge(Settings settings) {
        Optional<String> name = settings.optional("bridge");
        Optional<String> address = settings.optional("bip");
        if (name.isPresent() && address.isPresent()) {
            throw new IllegalArgumentException("You specified -b & --bip, mutually exclusive options. Please specify only one");
        }
        if (name.equals(Optional.of("none"))) return Optional.empty();
        Optional<Subnet> ipv6 = settings.optional("fixed-cidr-v6").map(Cidr::parse).map(Cidr::subnet);
        if (settings.flag("ipv6") && ipv6.isEmpty()) {
            throw new IllegalArgumentException("could not find an available, non-overlapping IPv6 address pool among the defaults to assign to the network");
        }
        return Optional.of(new BridgeConfig(name.orElse(OWN_BRIDGE), address.map(Cidr::parse), settings.optional("fixed-cidr").map(Subnet::parse),
                settings.flag("ipv6") ? ipv6.map(subnet -> new Cidr(subnet.first().plus(1), subnet.prefixLength())) : Optional.empty(),
                settings.number("mtu"), settings.flag("iptables") && settings.flag("ip-masq"), settings.flag("icc"), false,
                Ip.parse(settings.text("ip")), name.isEmpty()));
    }
}
