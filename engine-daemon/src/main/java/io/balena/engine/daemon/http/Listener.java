package io.balena.engine.daemon.http;

import java.nio.file.Path;
import java.util.Optional;

/// Where the API is to be reached.
public sealed interface Listener {
    /// A socket file, made anew; mode 0660.
    ///
    /// @param group that may use it, besides root; empty for root alone
    record Unix(Path path, Optional<String> group) implements Listener {}

    record Tcp(String host, int port, Optional<TlsFiles> tls) implements Listener {}

    /// A listening socket this process was started with, as systemd's socket activation does.
    ///
    /// @param path of a unix socket; empty for TCP
    /// @param tls only ever for TCP
    record Inherited(int fd, Optional<Path> path, Optional<TlsFiles> tls) implements Listener {}

    /// How bytes travel there.
    default Optional<TlsFiles> security() {
        return switch (this) {
            case Unix _ -> Optional.empty();
            case Tcp tcp -> tcp.tls;
            case Inherited inherited -> inherited.path.isPresent() ? Optional.empty() : inherited.tls;
        };
    }
}
