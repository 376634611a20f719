package io.balena.engine.daemon.network;

import java.util.List;
import java.util.Map;

/// A network that a user made with Docker.
///
/// @param id 64 hex digits; containers that are on it refer to it by this
/// @param driver e.g. `bridge`
/// @param created as Docker wrote it, RFC 3339
/// @param options of the driver, e.g. `com.docker.network.bridge.name`
/// @param labels in the order of their names
public record DockerNetwork(String id, String name, String driver, String created, List<Subnet> subnets, boolean internal, boolean attachable,
        boolean ipv6, Map<String, String> options, Map<String, String> labels) {

    /// @param subnet e.g. `10.99.0.0/24`
    /// @param range of addresses that containers get; empty for all of the subnet
    /// @param gateway empty when the engine was to choose one
    public record Subnet(String subnet, String range, String gateway) {}
}
