package io.balena.engine.distribution;

import java.time.Duration;
import java.util.Set;

/// How this engine talks to registries.
///
/// @param userAgent sent with every request, e.g. `balenaEngine/1.0 kernel/6.1 os/linux arch/arm64`
/// @param insecure `host` or `host:port` of registries that may speak plain HTTP or show any certificate; 127.0.0.0/8, `::1` and
///     `localhost` always may
/// @param concurrentDownloads layers in flight at once, of all pulls together
/// @param downloadAttempts how often a transfer may fail in a row without a byte of progress
/// @param idleTimeout how long a connection may be silent before it counts as broken
public record RegistryConfig(
        String userAgent, Set<String> insecure, int concurrentDownloads, int downloadAttempts, Duration idleTimeout) {

    public RegistryConfig {
        insecure = Set.copyOf(insecure);
        if (concurrentDownloads < 1) throw new IllegalArgumentException("concurrent downloads: " + concurrentDownloads);
        if (downloadAttempts < 1) throw new IllegalArgumentException("download attempts: " + downloadAttempts);
    }

    /// dockerd's defaults: three downloads at once, five attempts.
    public static RegistryConfig defaults(String userAgent) {
        return new RegistryConfig(userAgent, Set.of(), 3, 5, Duration.ofSeconds(60));
    }
}
