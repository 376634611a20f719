package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.FileSystemException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/// How long layers stay that no image and no container uses: those that a pull had finished when it failed, was cancelled or the power
/// went. They spare the next pull to fetch them again, so they stay, until
///
/// * somebody prunes images;
/// * an operation that brings in layers runs out of space: it keeps none of its own either;
/// * they are a week old when such an operation ends, or an image is removed: there are devices on which nobody ever prunes.
///
/// What a pull under way counts on is in use, and never removed.
final class UnusedLayers {
    private static final Logger LOG = System.getLogger(UnusedLayers.class.getName());
    private static final Duration LONGEST_STAY = Duration.ofDays(7);

    private final LayerStore layers;

    interface Operation<T> {
        T run() throws IOException;
    }

    UnusedLayers(LayerStore layers) {
        this.layers = layers;
    }

    /// Runs what brings in layers, or removes images. When it fails it has to have ended its uses of layers.
    <T> T after(Operation<T> operation) throws IOException {
        boolean full = false;
        try {
            return operation.run();
        } catch (IOException | RuntimeException e) {
            full = isOutOfSpace(e);
            throw e;
        } finally {
            removeQuietly(full ? Instant.MAX : Instant.now().minus(LONGEST_STAY));
        }
    }

    /// @return what was removed
    List<Layer> removeAll() throws IOException {
        return Undisturbed.run(() -> layers.removeUnused(Instant.MAX));
    }

    /// The outcome of the operation counts, not that of clearing up after it.
    private void removeQuietly(Instant before) {
        try {
            List<Layer> removed = Undisturbed.run(() -> layers.removeUnused(before));
            if (!removed.isEmpty()) LOG.log(Level.INFO, "removed " + removed.size() + " layers that no image uses");
        } catch (IOException e) {
            LOG.log(Level.WARNING, "could not remove layers that no image uses: " + e);
        }
    }

    /// The JDK tells it in words only, for files that it writes itself.
    private static boolean isOutOfSpace(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            switch (cause) {
                case ErrnoException e when e.errno() == Errno.ENOSPC || e.errno() == Errno.EDQUOT -> {
                    return true;
                }
                case FileSystemException e when saysFull(e.getReason()) -> {
                    return true;
                }
                case IOException e when saysFull(e.getMessage()) -> {
                    return true;
                }
                default -> {}
            }
        }
        return false;
    }

    private static boolean saysFull(String words) {
        return words != null && (words.contains("No space left on device") || words.contains("Disk quota exceeded"));
    }
}
