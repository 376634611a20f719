package io.balena.engine.linux;

import java.net.InetAddress;
import java.util.Optional;

/// A route of any table.
///
/// @param destination first address of the network; `0.0.0.0` or `::` with a prefix length of 0 for the default route
/// @param gateway empty when the destination is reached directly
/// @param link index of the outgoing link; 0 when the route has none or several
public record Route(InetAddress destination, int prefixLength, Optional<InetAddress> gateway, int link) {}
