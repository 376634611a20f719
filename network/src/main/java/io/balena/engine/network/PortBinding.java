package io.balena.engine.network;

import java.util.Set;

/// A container port published on the host.
///
/// @param protocol `tcp`, `udp` or `sctp`
/// @param hostAddress empty for all addresses
/// @param hostPort 0 to choose a free one
public record PortBinding(String protocol, int containerPort, String hostAddress, int hostPort) {
    private static final Set<String> PROTOCOLS = Set.of("tcp", "udp", "sctp");

    /// @throws IllegalArgumentException for an unknown protocol, or a port that is none
    public PortBinding {
        if (!PROTOCOLS.contains(protocol)) throw new IllegalArgumentException("Invalid proto: " + protocol);
        if (containerPort < 1 || containerPort > 65535) throw new IllegalArgumentException("Invalid containerPort: " + containerPort);
        if (hostPort < 0 || hostPort > 65535) throw new IllegalArgumentException("Invalid hostPort: " + hostPort);
        if (!hostAddress.isEmpty() && hostAddress.indexOf(':') < 0) Ipv4.parse(hostAddress);
    }

    PortBinding onHostPort(int chosen) {
        return new PortBinding(protocol, containerPort, hostAddress, chosen);
    }

    boolean isIpv6() {
        return hostAddress.indexOf(':') >= 0;
    }

    /// `0.0.0.0` for all addresses.
    Ipv4 host() {
        return hostAddress.isEmpty() ? Ipv4.ANY : Ipv4.parse(hostAddress);
    }
}
