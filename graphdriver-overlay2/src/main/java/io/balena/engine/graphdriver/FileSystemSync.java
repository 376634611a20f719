package io.balena.engine.graphdriver;

import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/// Brings all of the store's files to the disk with one call.
final class FileSystemSync {
    private final StorePaths paths;

    FileSystemSync(StorePaths paths) {
        this.paths = paths;
    }

    /// Returns when everything written so far to `overlay2` and `image` is on the disk: their file system only, or both when
    /// they are on two.
    void sync() throws IOException {
        var calls = new FileCalls();
        int overlay = calls.open(paths.overlay(), OpenFlags.RDONLY | OpenFlags.DIRECTORY);
        try {
            calls.syncFileSystem(overlay);
            int layerdb = calls.open(paths.layerdb(), OpenFlags.RDONLY | OpenFlags.DIRECTORY);
            try {
                if (calls.stat(layerdb).device() != calls.stat(overlay).device()) calls.syncFileSystem(layerdb);
            } finally {
                calls.close(layerdb);
            }
        } finally {
            calls.close(overlay);
        }
    }

    /// Gives back the page cache of files that nobody will read soon. They have to be clean: after [#sync].
    void dropFromPageCache(Path root, List<byte[]> files) throws IOException {
        var calls = new FileCalls();
        int directory = calls.open(root, OpenFlags.PATH | OpenFlags.DIRECTORY);
        try {
            for (byte[] file : files) {
                int fd = openIn(calls, directory, file);
                if (fd < 0) continue;
                calls.dropFromPageCache(fd);
                calls.close(fd);
            }
        } finally {
            calls.close(directory);
        }
    }

    private static int openIn(FileCalls calls, int directory, byte[] file) {
        try {
            return calls.openBy(directory, file, OpenFlags.RDONLY | OpenFlags.NONBLOCK | OpenFlags.NOFOLLOW,
                    OpenFlags.RESOLVE_IN_ROOT);
        } catch (IOException e) {
            // Replaced by a later entry, or a kernel without openat2: the pages stay until someone needs the memory.
            System.getLogger(FileSystemSync.class.getName()).log(System.Logger.Level.DEBUG,
                    () -> "page cache of " + new String(file, StandardCharsets.UTF_8) + " not given back: " + e.getMessage());
            return -1;
        }
    }
}
