package io.balena.engine.daemon.volume;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.daemon.bbolt.BoltFile;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/// What Docker's `volumes/metadata.db` says of volumes: bucket `volumes`, the name as key, JSON as value.
final class DockerVolumes {
    private static final Logger LOG = System.getLogger(DockerVolumes.class.getName());
    /// Bytes; labels beyond this are no labels.
    private static final int MOST = 1 << 20;

    private DockerVolumes() {}

    /// @return JSON by name, also of volumes that are no more; what can be read, when the file is damaged
    static Map<String, byte[]> read(Path volumes) {
        Map<String, byte[]> entries = new HashMap<>();
        Path file = volumes.resolve("metadata.db");
        try (var bolt = BoltFile.open(file)) {
            var bucket = bolt.root().bucket("volumes".getBytes(UTF_8));
            if (bucket.isEmpty()) return entries;
            bucket.get().forEach((key, value) -> {
                if (value.length <= MOST) entries.put(new String(key, UTF_8), value);
            });
        } catch (NoSuchFileException e) {
            // Docker was never here.
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Labels and options that Docker gave to volumes may be missing: {0} cannot be read: {1}", file,
                    e.getMessage());
        }
        return entries;
    }
}
