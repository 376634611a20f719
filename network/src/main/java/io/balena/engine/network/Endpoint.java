package io.balena.engine.network;

import io.balena.engine.linux.MacAddress;
import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Ip;
import java.util.List;
import java.util.Optional;

/// A container's place in a network.
///
/// @param id 64 hexadecimal digits
/// @param addresses at most one of each family
/// @param link its name in the container, e.g. `eth0`
/// @param ports as published, with the host ports that were chosen
/// @param peers whom it may reach although containers on the network do not reach each other
public record Endpoint(String id, Membership of, List<Placement> addresses, MacAddress mac, String link, List<PortBinding> ports,
        List<Peer> peers) {

    /// A port of another container that is open to this one, and its answers.
    public record Peer(Ip address, String protocol, int port) {}

    public String containerId() {
        return of.containerId();
    }

    public Optional<Placement> ipv4() {
        return addresses.stream().filter(placement -> !placement.v6()).findFirst();
    }

    public Optional<Placement> ipv6() {
        return addresses.stream().filter(Placement::v6).findFirst();
    }

    Optional<Ip> address(boolean v6) {
        return (v6 ? ipv6() : ipv4()).map(Placement::own).map(Cidr::address);
    }

    Endpoint with(List<PortBinding> published) {
        return new Endpoint(id, of, addresses, mac, link, published, peers);
    }

    Endpoint with(Membership membership) {
        return new Endpoint(id, membership, addresses, mac, link, ports, peers);
    }
}
