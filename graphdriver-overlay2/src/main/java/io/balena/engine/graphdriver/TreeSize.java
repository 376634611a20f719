package io.balena.engine.graphdriver;

import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;

/// Bytes in the files and symbolic links of a tree, a file with several names counted once: Docker's size of a layer.
final class TreeSize {
    private static final byte[] DOT = {'.'};

    private record Inode(long device, long number) {}

    private final FileCalls calls;
    private final Set<Inode> seen = new HashSet<>();

    TreeSize(FileCalls calls) {
        this.calls = calls;
    }

    long of(int directory) throws IOException {
        return walk(calls.open(directory, DOT, OpenFlags.RDONLY | OpenFlags.DIRECTORY));
    }

    /// Closes `fd`.
    private long walk(int fd) throws IOException {
        long size = 0;
        try {
            for (byte[] name : calls.list(fd)) {
                FileStat stat = calls.stat(fd, name);
                if (stat.isDirectory()) {
                    size += walk(calls.open(fd, name, OpenFlags.RDONLY | OpenFlags.DIRECTORY | OpenFlags.NOFOLLOW));
                } else if (stat.links() == 1 || seen.add(new Inode(stat.device(), stat.inode()))) {
                    size += stat.size();
                }
            }
        } finally {
            calls.close(fd);
        }
        return size;
    }
}
