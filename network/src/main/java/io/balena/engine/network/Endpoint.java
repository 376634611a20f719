package io.balena.engine.network;

import java.util.List;

/// A container's place in a network.
///
/// @param id 64 hexadecimal digits
/// @param address IPv4 address without prefix length
/// @param ports as published, with the host ports that were chosen
public record Endpoint(
        String id, String containerId, String address, int prefixLength, String gateway, String macAddress, List<PortBinding> ports) {}
