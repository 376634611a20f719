package io.balena.engine.network;

import java.util.Optional;

/// What tests vary of the default bridge.
record BridgeSetup(String name, Optional<String> address, Optional<String> fixedCidr, int mtu, boolean ipForward, boolean iptables,
        boolean masquerade, boolean icc) {
    BridgeSetup(String name, Optional<String> address, int mtu, boolean ipForward, boolean iptables, boolean masquerade, boolean icc) {
        this(name, address, Optional.empty(), mtu, ipForward, iptables, masquerade, icc);
    }
}
