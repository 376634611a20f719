package io.balena.engine.network;

import java.util.Optional;

/// How the default bridge is laid out.
///
/// @param name of the link, e.g. `balena0`
/// @param address the bridge's own address with its prefix length, e.g. `172.17.0.1/16`; empty to choose a free range
/// @param mtu 0 for the default of 1500
public record BridgeConfig(
        String name, Optional<String> address, int mtu, boolean ipForward, boolean iptables, boolean ipMasquerade, boolean icc) {}
