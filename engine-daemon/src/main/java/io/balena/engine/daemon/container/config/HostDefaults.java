package io.balena.engine.daemon.container.config;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/// What the engine writes into a `HostConfig` that leaves it open, once and for all when a container is created.
///
/// @param runtime the name of an OCI runtime
/// @param ipcMode `private` or `shareable`
/// @param cgroupnsMode `private` or `host`; when empty, what Docker does on this machine
/// @param shmBytes of `/dev/shm`
public record HostDefaults(Log log, String runtime, String ipcMode, Optional<String> cgroupnsMode, long shmBytes) {
    /// dockerd's own, when no flag says otherwise.
    public static final HostDefaults DOCKERS = new HostDefaults(Log.JSON_FILE, "runc", "private", Optional.empty(), 64L << 20);

    /// Docker began to hide a container's place among the control groups with their version 2; before, only who asks for it is given a
    /// namespace of them, and who is privileged never is.
    String cgroupnsMode(boolean privileged) {
        if (privileged && !Unified.KERNEL) return "host";
        return cgroupnsMode.orElse(Unified.KERNEL ? "private" : "host");
    }

    private static final class Unified {
        private static final boolean KERNEL = Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers"));
    }

    /// How containers log that do not say it.
    ///
    /// @param options of the driver, e.g. `max-size`
    public record Log(String driver, Map<String, String> options) {
        static final Log JSON_FILE = new Log("json-file", Map.of());
    }
}
