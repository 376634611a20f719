package io.balena.engine.network;

import java.io.IOException;
import java.util.List;

/// One bridge's part of the machine's firewall, for one family of addresses.
record BridgeFirewall(Firewall firewall, BridgeRules rules) {
    boolean v6() {
        return rules.subnet().first().v6();
    }

    void open(List<Endpoint> endpoints) throws IOException {
        firewall.add(rules, endpoints);
    }

    void publish(Endpoint endpoint) throws IOException {
        firewall.publish(endpoint.id(), rules.of(endpoint));
    }

    void withdraw(Endpoint endpoint) throws IOException {
        firewall.withdraw(endpoint.id());
    }

    void remove() throws IOException {
        firewall.remove(rules);
    }
}
