package io.balena.engine.graphdriver;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/// Where a store puts what it found below the data root and cannot explain, instead of deleting it: it may be the only copy of
/// somebody's data, and a person can look at it.
public final class Quarantine {
    private static final System.Logger LOG = System.getLogger(Quarantine.class.getName());

    private final Path dataRoot;
    private final Path folder;

    public Quarantine(Path dataRoot) {
        this.dataRoot = dataRoot;
        this.folder = dataRoot.resolve("quarantine");
    }

    /// Moves `found` to `quarantine/<its path below the data root>`, with a number added when that is taken. Says so in the log.
    ///
    /// Never fails, as that would keep an engine from starting: what cannot be moved, on a full disk for one, stays where it is.
    public void take(Path found, String reason) {
        try {
            LOG.log(Level.WARNING, "moved " + found + " to " + move(found) + ": " + reason);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "cannot move " + found + " to " + folder + ": " + e + "; it would be moved because of " + reason);
        }
    }

    /// As above, for somebody who found out by an exception.
    public void take(Path found, Exception reason) {
        take(found, switch (reason) {
            case NoSuchFileException missing -> "a file is missing: " + missing.getMessage();
            // Without the position and what Jackson says about its own settings, which take several lines.
            case JsonProcessingException json -> "not the JSON it should be: " + json.getOriginalMessage();
            case IOException said when said.getMessage() != null -> said.getMessage();
            default -> reason.toString();
        });
    }

    private Path move(Path found) throws IOException {
        Path wanted = folder.resolve(dataRoot.relativize(found));
        if (!Files.exists(folder)) OverlayFolders.makeDirectory(folder, "rwx------");
        Files.createDirectories(wanted.getParent());
        Path place = wanted;
        for (int n = 1; Files.exists(place, LinkOption.NOFOLLOW_LINKS); n++) place = wanted.resolveSibling(found.getFileName() + "." + n);
        Files.move(found, place);
        DurableFile.syncDirectory(place.getParent());
        DurableFile.syncDirectory(found.getParent());
        return place;
    }
}
