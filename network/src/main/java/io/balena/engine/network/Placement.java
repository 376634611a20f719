package io.balena.engine.network;

import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Ip;
import java.util.Optional;

/// Where an endpoint is in one of its network's subnets.
///
/// @param own its address, with the length of the subnet's prefix
/// @param gateway by which the rest of the world is reached: `0.0.0.0` or `::` when it is found on the wire itself, `null` when it is not
///     reached
public record Placement(Cidr own, Ip gateway) {
    public Optional<Ip> wayOut() {
        return Optional.ofNullable(gateway);
    }

    public boolean v6() {
        return own.address().v6();
    }
}
