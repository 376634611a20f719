package io.balena.engine.runtime.container;

import java.util.Locale;

/// What a container is doing, as whoever looks from outside finds it.
///
/// @see <a href="https://github.com/opencontainers/runtime-spec/blob/v1.2.0/runtime.md#state">OCI runtime-spec, state</a>
public enum ContainerStatus {
    CREATED,
    RUNNING,
    PAUSED,
    STOPPED;

    /// The specification's word.
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
