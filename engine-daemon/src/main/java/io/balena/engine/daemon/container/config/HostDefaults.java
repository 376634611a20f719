package io.balena.engine.daemon.container.config;

import java.util.Map;
import java.util.Optional;

/// What the engine writes into a `HostConfig` that leaves it open, once and for all when a container is created.
///
/// @param runtime the name of an OCI runtime
/// @param ipcMode `private` or `shareable`
/// @param cgroupnsMode `private` or `host`; when empty, what a container's privileges suggest
/// @param shmBytes of `/dev/shm`
public record HostDefaults(Log log, String runtime, String ipcMode, Optional<String> cgroupnsMode, long shmBytes) {
    /// dockerd's own, when no flag says otherwise.
    public static final HostDefaults DOCKERS = new HostDefaults(Log.JSON_FILE, "runc", "private", Optional.empty(), 64L << 20);

    /// How containers log that do not say it.
    ///
    /// @param options of the driver, e.g. `max-size`
    public record Log(String driver, Map<String, String> options) {
        static final Log JSON_FILE = new Log("json-file", Map.of());
    }
}
