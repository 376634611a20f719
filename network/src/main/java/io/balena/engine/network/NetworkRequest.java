package io.balena.engine.network;

import java.util.List;
import java.util.Map;

/// A network that somebody wants.
///
/// @param driver empty for `bridge`
/// @param configFrom name of the network whose settings it takes; empty for none
/// @param ipamOptions `null` when none were given
public record NetworkRequest(String name, String driver, boolean ipv6, boolean internal, boolean attachable, boolean configOnly,
        String configFrom, String ipamDriver, Map<String, String> ipamOptions, List<Ipam.Config> ipam, Map<String, String> options,
        Map<String, String> labels) {}
