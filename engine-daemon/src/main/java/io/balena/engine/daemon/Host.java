package io.balena.engine.daemon;

import java.nio.file.Path;
import java.util.Optional;

/// The value of a `-H` flag.
sealed interface Host {
    String DEFAULT_SOCKET = "/var/run/balena-engine.sock";

    record Unix(Path path) implements Host {}

    record Tcp(String host, int port) implements Host {}

    /// Sockets systemd opened for us: all of them, or one by its place or name.
    record Activated(Optional<String> which) implements Host {}

    /// @param tls whether it is spoken on TCP, which then has another port unless one is named
    /// @throws IllegalArgumentException with dockerd's words
    static Host parse(String value, boolean tls) {
        String host = value.strip();
        if (host.isEmpty()) return new Unix(Path.of(DEFAULT_SOCKET));
        int scheme = host.indexOf("://");
        if (scheme < 0) return tcp(host, value, tls);
        String rest = host.substring(scheme + 3);
        return switch (host.substring(0, scheme)) {
            case "unix" -> new Unix(Path.of(rest.isEmpty() ? DEFAULT_SOCKET : rest));
            case "fd" -> new Activated(rest.isEmpty() || rest.equals("*") ? Optional.empty() : Optional.of(rest));
            case "tcp" -> tcp(rest, value, tls);
            default -> throw new IllegalArgumentException("Invalid bind address format: " + value);
        };
    }

    private static Tcp tcp(String address, String value, boolean tls) {
        if (address.contains("/")) throw new IllegalArgumentException("Invalid bind address format: " + value);
        int colon = address.lastIndexOf(':');
        boolean portless = colon < 0 || address.endsWith("]");
        String host = portless ? address : address.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) host = host.substring(1, host.length() - 1);
        if (portless) return new Tcp(host.isEmpty() ? "localhost" : host, tls ? 2376 : 2375);
        try {
            int port = Integer.parseInt(address.substring(colon + 1));
            if (port < 0 || port > 65535) throw new NumberFormatException();
            return new Tcp(host.isEmpty() ? "localhost" : host, port);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("Invalid bind address format: " + value);
        }
    }
}
