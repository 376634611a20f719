package io.balena.engine.network;

import io.balena.engine.linux.MacAddress;
import io.balena.engine.network.address.Ip;
import java.util.List;
import java.util.Optional;

/// What a container asks of a network.
///
/// @param addresses of its own choice, at most one of each family
/// @param mac empty to derive one from the address
/// @param link what its link is to be called in the container
/// @param ports to publish, if the container's default route leads through this network
public record EndpointRequest(Membership of, List<Ip> addresses, Optional<MacAddress> mac, String link, List<PortBinding> ports,
        List<Endpoint.Peer> peers) {
    Optional<Ip> address(boolean v6) {
        return addresses.stream().filter(ip -> ip.v6() == v6).findFirst();
    }

    EndpointRequest withoutPorts() {
        return new EndpointRequest(of, addresses, mac, link, List.of(), peers);
    }
}
