package io.balena.engine.network;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/// A container's network namespace, and its endpoints in it.
///
/// @param pid of a process in the namespace
/// @param endpoints in the order of their links, `eth0` first
public record Sandbox(String containerId, int pid, List<Endpoint> endpoints) {
    /// Docker's choice: rather a network with a way out, rather one with both families, then the one with the highest priority, then
    /// the first by name.
    private static final Comparator<Endpoint> BEST_FIRST = Comparator
            .comparing((Endpoint endpoint) -> endpoint.of().internal())
            .thenComparing(endpoint -> !leadsOut(endpoint, false) && !leadsOut(endpoint, true))
            .thenComparing(endpoint -> !leadsOut(endpoint, false) || !leadsOut(endpoint, true))
            .thenComparing(endpoint -> -endpoint.of().gatewayPriority())
            .thenComparing(endpoint -> endpoint.of().networkName());

    private static boolean leadsOut(Endpoint endpoint, boolean v6) {
        return (v6 ? endpoint.ipv6() : endpoint.ipv4()).flatMap(Placement::wayOut).isPresent();
    }

    /// The endpoint through which the container reaches the world, and is reached at its published ports.
    public static Optional<Endpoint> gateway(List<Endpoint> endpoints) {
        return endpoints.stream().min(BEST_FIRST);
    }
}
