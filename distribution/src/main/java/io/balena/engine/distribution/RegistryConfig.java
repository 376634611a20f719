package io.balena.engine.distribution;

import java.math.BigInteger;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Set;

/// How this engine talks to registries.
///
/// @param userAgent sent with every request, e.g. `balenaEngine/1.0 kernel/6.1 os/linux arch/arm64`
/// @param insecure registries that may speak plain HTTP or show any certificate: `host`, `host:port` or a network, e.g. `10.0.0.0/8`;
///     127.0.0.0/8, `::1` and `localhost` always may
/// @param idleTimeout how long a connection may be silent before it counts as broken
public record RegistryConfig(
        String userAgent, Set<String> insecure, Transfers downloads, Transfers uploads, Duration idleTimeout) {

    /// @param atOnce layers in flight at once, of all requests together
    /// @param attempts how often a transfer may fail in a row without a byte of progress
    public record Transfers(int atOnce, int attempts) {
        public Transfers {
            if (atOnce < 1) throw new IllegalArgumentException("transfers at once: " + atOnce);
            if (attempts < 1) throw new IllegalArgumentException("attempts of a transfer: " + attempts);
        }
    }

    public RegistryConfig {
        insecure = Set.copyOf(insecure);
    }

    /// dockerd's defaults: three downloads and five uploads at once, five attempts.
    public static RegistryConfig defaults(String userAgent) {
        return new RegistryConfig(userAgent, Set.of(), new Transfers(3, 5), new Transfers(5, 5), Duration.ofSeconds(60));
    }

    /// @param host of a registry, with its port if that is not the usual one
    boolean mayBeInsecure(String host) {
        String name = host.replaceFirst(":\\d+$", "");
        if (name.equals("localhost") || insecure.contains(host) || insecure.contains(name)) return true;
        InetAddress address;
        try {
            address = InetAddress.ofLiteral(name.replaceAll("[\\[\\]]", ""));
        } catch (IllegalArgumentException e) {
            return false; // a name: we do not look it up to find out how to trust it
        }
        return address.isLoopbackAddress() || insecure.stream().anyMatch(network -> contains(network, address));
    }

    private static boolean contains(String network, InetAddress address) {
        int slash = network.indexOf('/');
        if (slash < 0) return false;
        try {
            byte[] prefix = InetAddress.ofLiteral(network.substring(0, slash)).getAddress();
            int bits = Integer.parseInt(network.substring(slash + 1));
            byte[] bytes = address.getAddress();
            if (prefix.length != bytes.length || bits < 0 || bits > 8 * bytes.length) return false;
            int shift = 8 * bytes.length - bits;
            return new BigInteger(1, prefix).shiftRight(shift).equals(new BigInteger(1, bytes).shiftRight(shift));
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}
