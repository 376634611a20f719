package io.balena.engine.daemon.container.config;

/// Which network a container is on.
public sealed interface NetworkMode {
    /// `default` or `bridge`: the engine's own bridge.
    record Bridge() implements NetworkMode {}

    /// The host's own network namespace.
    record Host() implements NetworkMode {}

    /// A namespace with nothing but a loopback link.
    record None() implements NetworkMode {}

    /// The network namespace of another container.
    record OfContainer(String idOrName) implements NetworkMode {}

    /// A network made by a user.
    record Named(String name) implements NetworkMode {}

    static NetworkMode parse(String text) {
        if (text.startsWith("container:")) return new OfContainer(text.substring("container:".length()));
        return switch (text) {
            case "", "default", "bridge" -> new Bridge();
            case "host" -> new Host();
            case "none" -> new None();
            default -> new Named(text);
        };
    }
}
