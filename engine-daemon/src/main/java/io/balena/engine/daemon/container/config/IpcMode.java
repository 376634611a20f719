package io.balena.engine.daemon.container.config;

import io.balena.engine.daemon.EngineException.SystemFailure;

/// With whom a container shares its System V memory, semaphores and message queues, and its `/dev/shm`.
public sealed interface IpcMode {
    /// With nobody.
    record Private() implements IpcMode {}

    /// With nobody, and without a `/dev/shm`.
    record None() implements IpcMode {}

    /// With whoever asks for it.
    record Shareable() implements IpcMode {}

    record Host() implements IpcMode {}

    record OfContainer(String idOrName) implements IpcMode {}

    /// @throws SystemFailure in Docker's words, who finds out at the start
    static IpcMode parse(String text) {
        if (text.startsWith("container:")) return new OfContainer(text.substring("container:".length()));
        return switch (text) {
            case "private" -> new Private();
            case "none" -> new None();
            // What containers were before there were modes.
            case "shareable", "" -> new Shareable();
            case "host" -> new Host();
            default -> throw new SystemFailure("Invalid IPC mode: " + text, null);
        };
    }
}
