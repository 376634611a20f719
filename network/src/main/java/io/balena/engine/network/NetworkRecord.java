package io.balena.engine.network;

import java.util.Map;

/// A network, as it is kept. Never changes.
///
/// @param id 64 hexadecimal digits
/// @param created RFC 3339, in UTC
/// @param driver `bridge`, `macvlan`, `ipvlan`, `host` or `null`
/// @param configOnly settings for other networks, and no network itself
/// @param options of the driver, as given
public record NetworkRecord(String id, String name, String created, String driver, boolean ipv6, boolean internal, boolean attachable,
        boolean configOnly, String configFrom, Ipam ipam, Map<String, String> options, Map<String, String> labels) {

    /// Whether it is one of the three that are always there.
    public boolean predefined() {
        return PredefinedNetworks.NAMES.contains(name);
    }

    public String shortId() {
        return id.substring(0, 12);
    }
}
