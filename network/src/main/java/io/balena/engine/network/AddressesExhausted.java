package io.balena.engine.network;

import java.io.IOException;

/// Every address that containers may get is in use.
public final class AddressesExhausted extends IOException {
    private static final long serialVersionUID = 1L;

    AddressesExhausted(String bridge) {
        super("no available IPv4 addresses on this network's address pools: bridge (" + bridge + ")");
    }
}
