package io.balena.engine.daemon.container.config;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.Set;

/// When a container that ended is started again.
///
/// @param name `no` (or empty), `always`, `unless-stopped` or `on-failure`
/// @param maximumRetries of `on-failure`; 0 for no limit
public record RestartPolicy(String name, int maximumRetries) {
    private static final Set<String> NAMES = Set.of("", "no", "always", "unless-stopped", "on-failure");

    /// @throws InvalidRequest with Docker's words
    public void validate() {
        if (!NAMES.contains(name)) throw new InvalidRequest("invalid restart policy '" + name + "'");
        if (maximumRetries < 0) throw new InvalidRequest("maximum retry count cannot be negative");
        if (maximumRetries > 0 && !name.isEmpty() && !name.equals("on-failure")) {
            throw new InvalidRequest("maximum retry count cannot be used with restart policy '" + name + "'");
        }
    }

    public boolean none() {
        return name.isEmpty() || name.equals("no");
    }

    /// Whether a container that ended by itself with `exitCode` is to be started again.
    ///
    /// @param restarts how often that happened already without a longer run in between
    /// @param stoppedByUser asked to end, or ended while the engine was told to stop it
    public boolean wants(int exitCode, int restarts, boolean stoppedByUser) {
        return switch (name) {
            case "always" -> !stoppedByUser;
            case "unless-stopped" -> !stoppedByUser;
            case "on-failure" -> !stoppedByUser && exitCode != 0 && (maximumRetries == 0 || restarts < maximumRetries);
            default -> false;
        };
    }

    /// Whether a container found ended when the daemon starts is to be started.
    public boolean wantsAtBoot(int exitCode, int restarts, boolean stoppedByUser) {
        return name.equals("always") || wants(exitCode, restarts, stoppedByUser);
    }
}
