package io.balena.engine.graphdriver;

import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;

/// Takes what the store cannot explain out of its way without deleting it: it may be the only copy of a container's data.
final class Quarantine {
    private static final System.Logger LOG = System.getLogger(Quarantine.class.getName());

    private final StorePaths paths;

    Quarantine(StorePaths paths) {
        this.paths = paths;
    }

    /// Moves `found` to `quarantine/<its path below the data root>`.
    void take(Path found, String reason) throws IOException {
        Path place = paths.quarantine().resolve(paths.root().relativize(found).toString());
        if (!Files.exists(paths.quarantine())) OverlayFolders.makeDirectory(paths.quarantine(), "rwx------");
        Files.createDirectories(place.getParent());
        for (int n = 1; Files.exists(place); n++) place = place.resolveSibling(found.getFileName() + "." + n);
        Files.move(found, place);
        DurableFile.syncDirectory(place.getParent());
        DurableFile.syncDirectory(found.getParent());
        LOG.log(Level.WARNING, "moved " + found + " to " + place + ": " + reason);
    }
}
