package io.balena.engine.distribution;

import java.util.List;

/// Where a registry answers.
///
/// @param host with its port if that is not the usual one
/// @param schemes to try, the better first
/// @param mirror somebody else's copy of Docker Hub: it gets to see no credentials, and what it lacks the hub may have
/// @param trust whose certificates will do
record Endpoint(String host, List<String> schemes, boolean mirror, Trust trust) {
    /// Whether it may speak plain HTTP, and send us to somebody who does.
    boolean mayBePlain() {
        return schemes.contains("http");
    }

    @Override
    public String toString() {
        return schemes.getFirst() + "://" + host;
    }
}
