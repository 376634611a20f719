package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.runtime.RuntimeCommand;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The OCI runtimes that a container may name in `HostConfig.Runtime`.
///
/// @param others by name
public record Runtimes(Map<String, RuntimeCommand> others) {
    /// What `/info` and most containers call the engine's own.
    public static final String STOCK = "runc";
    /// Names that Docker and balenaEngine have for what comes with them.
    private static final Set<String> OWN =
            Set.of(STOCK, "io.containerd.runc.v2", "io.containerd.runtime.v1.linux", "balena-runc", "balena-engine-runc");
    /// balenaEngine's: a container that is storage only, never started; without what others get below their own layer.
    private static final String BARE = "bare";

    /// @throws IllegalArgumentException in dockerd's words
    public Runtimes {
        if (others.containsKey(STOCK)) throw new IllegalArgumentException("runtime name '" + STOCK + "' is reserved");
    }

    /// @throws IllegalArgumentException in dockerd's words when there is no such runtime
    public void checkDefault(String name) {
        if (!isKnown(name)) throw new IllegalArgumentException("specified default runtime '" + name + "' does not exist");
    }

    private boolean isKnown(String name) {
        return others.containsKey(name) || OWN.contains(name);
    }

    boolean isBare(String name) {
        return name.equals(BARE) && !others.containsKey(BARE);
    }

    /// @throws InvalidRequest when no container can have it
    void requireForCreation(String name) {
        if (!isKnown(name) && !isBare(name)) throw unknown(name);
    }

    /// @return empty for the engine's own
    /// @throws InvalidRequest when there is none of this name, perhaps not any more
    Optional<RuntimeCommand> forStart(String name) {
        if (!isKnown(name)) throw unknown(name);
        return Optional.ofNullable(others.get(name));
    }

    private static InvalidRequest unknown(String name) {
        return new InvalidRequest("Unknown runtime specified " + name);
    }
}
