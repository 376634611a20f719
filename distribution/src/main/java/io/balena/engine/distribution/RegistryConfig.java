package io.balena.engine.distribution;

import java.time.Duration;
import java.util.List;
import java.util.Set;

/// How this engine talks to registries.
///
/// @param userAgent sent with every request, e.g. `balenaEngine/1.0 kernel/6.1 os/linux arch/arm64`
/// @param endpoints where registries are found
/// @param idleTimeout how long a connection may be silent before it counts as broken
public record RegistryConfig(
        String userAgent, RegistryEndpoints endpoints, Transfers downloads, Transfers uploads, Duration idleTimeout) {

    /// @param atOnce layers in flight at once, of all requests together
    /// @param attempts how often a transfer may fail in a row without a byte of progress
    public record Transfers(int atOnce, int attempts) {
        public Transfers {
            if (atOnce < 1) throw new IllegalArgumentException("transfers at once: " + atOnce);
            if (attempts < 1) throw new IllegalArgumentException("attempts of a transfer: " + attempts);
        }
    }

    /// Without mirrors, certificates and proxies.
    ///
    /// @param insecure registries that may speak plain HTTP, besides those of this machine
    public RegistryConfig(String userAgent, Set<String> insecure, Transfers downloads, Transfers uploads, Duration idleTimeout) {
        this(userAgent, RegistryEndpoints.plain(InsecureRegistries.of(List.copyOf(insecure))), downloads, uploads, idleTimeout);
    }

    /// dockerd's defaults: three downloads and five uploads at once, five attempts.
    public static RegistryConfig defaults(String userAgent) {
        return new RegistryConfig(userAgent, Set.of(), new Transfers(3, 5), new Transfers(5, 5), Duration.ofSeconds(60));
    }
}
