package io.balena.engine.network;

import io.balena.engine.network.address.Ip;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// A container port published on the host.
///
/// @param protocol `tcp`, `udp` or `sctp`
/// @param hostAddress empty for all addresses of a network's families
/// @param hostPort 0 to choose a free one
/// @param lastHostPort any up to this one will do; the same as `hostPort` when that is meant
public record PortBinding(String protocol, int containerPort, String hostAddress, int hostPort, int lastHostPort) {
    private static final Set<String> PROTOCOLS = Set.of("tcp", "udp", "sctp");

    /// @throws IllegalArgumentException for an unknown protocol, or a port that is none
    public PortBinding {
        if (!PROTOCOLS.contains(protocol)) throw new IllegalArgumentException("Invalid proto: " + protocol);
        if (containerPort < 1 || containerPort > 65535) throw new IllegalArgumentException("Invalid containerPort: " + containerPort);
        if (hostPort < 0 || hostPort > 65535) throw new IllegalArgumentException("Invalid hostPort: " + hostPort);
        if (lastHostPort < hostPort || lastHostPort > 65535) throw new IllegalArgumentException("Invalid hostPort: " + lastHostPort);
        if (!hostAddress.isEmpty()) Ip.parse(hostAddress);
    }

    public PortBinding(String protocol, int containerPort, String hostAddress, int hostPort) {
        this(protocol, containerPort, hostAddress, hostPort, hostPort);
    }

    PortBinding onHostPort(int chosen) {
        return new PortBinding(protocol, containerPort, hostAddress, chosen);
    }

    /// One for each family that a container has an address of; none when it has none that would be published so.
    ///
    /// @param elsewhere where one is published that names no address
    List<PortBinding> of(boolean ipv4, boolean ipv6, Ip elsewhere) {
        Stream<Ip> wanted = !hostAddress.isEmpty() ? Stream.of(Ip.parse(hostAddress)) : elsewhere.isAny() ? Stream.of(Ip.ANY, Ip.ANY_V6) : Stream.of(elsewhere);
        return wanted.filter(address -> address.v6() ? ipv6 : ipv4)
                .map(address -> new PortBinding(protocol, containerPort, address.toString(), hostPort, lastHostPort)).toList();
    }

    /// `0.0.0.0` for all addresses.
    Ip host() {
        return hostAddress.isEmpty() ? Ip.ANY : Ip.parse(hostAddress);
    }
}
