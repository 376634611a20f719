package io.balena.engine.daemon.volume;

import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;

/// One volume.
///
/// @param data its files, `volumes/<name>/_data`: a path that programs outside the engine rely on
/// @param mount what is mounted there while a container uses the volume
public record Volume(String name, Path data, Instant created, Description description, Optional<VolumeMount> mount) {
    /// The one driver there is.
    public static final String DRIVER = "local";
}
