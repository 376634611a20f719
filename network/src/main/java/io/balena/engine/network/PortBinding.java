package io.balena.engine.network;

/// A container port published on the host.
///
/// @param protocol `tcp`, `udp` or `sctp`
/// @param hostAddress empty for all addresses
/// @param hostPort 0 to choose a free one
public record PortBinding(String protocol, int containerPort, String hostAddress, int hostPort) {}
