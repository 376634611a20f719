package io.balena.engine.network;

import io.balena.engine.network.address.DefaultPools;
import io.balena.engine.network.address.Ip;
import java.util.List;
import java.util.Optional;

/// How an engine's networks are laid out that nobody says otherwise of.
///
/// @param bridge of containers that name no network; empty for none
/// @param gateways by which containers on that bridge leave it, instead of the bridge's own addresses
public record NetworksConfig(Optional<BridgeConfig> bridge, List<Ip> gateways, DefaultPools pools, FirewallSettings firewall) {
    Optional<Ip> gateway(boolean v6) {
        return gateways.stream().filter(gateway -> gateway.v6() == v6).findFirst();
    }
}
