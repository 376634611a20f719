package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// Removes a file or a folder with all it holds, stepping through open folders, so that no symbolic link is ever followed.
/// What is missing is no error.
public final class TreeRemoval {
    /// Folders deeper than this are moved up and removed from there: a container can nest them deeper than there are
    /// descriptors or stack.
    private static final int MAX_DEPTH = 64;

    private final FileCalls calls;
    private final boolean sparesMounts;
    private int top = -1;
    private int movedUp;

    TreeRemoval(FileCalls calls) {
        this(calls, false);
    }

    private TreeRemoval(FileCalls calls, boolean sparesMounts) {
        this.calls = calls;
        this.sparesMounts = sparesMounts;
    }

    /// One that fails with `EBUSY` where something is mounted. The kernel does so, too, but for mounts of the caller's namespace alone:
    /// others' it would take away.
    static TreeRemoval sparingMounts(FileCalls calls) {
        return new TreeRemoval(calls, true);
    }

    public static void remove(Path path) throws IOException {
        var calls = new FileCalls();
        int parent;
        try {
            parent = calls.open(path.toAbsolutePath().getParent(), OpenFlags.PATH | OpenFlags.DIRECTORY);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT) return;
            throw e;
        }
        try {
            new TreeRemoval(calls).remove(parent, path.getFileName().toString().getBytes(UTF_8));
        } finally {
            calls.close(parent);
        }
    }

    void remove(int directory, byte[] name) throws IOException {
        remove(directory, name, 0);
    }

    private void remove(int directory, byte[] name, int depth) throws IOException {
        try {
            if (sparesMounts && calls.stat(directory, name).mountRoot()) throw new ErrnoException(Errno.EBUSY.number(), "unlinkat", new String(name, UTF_8));
            calls.unlink(directory, name);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT) return;
            if (e.errno() != Errno.EISDIR) throw e;
            if (depth == MAX_DEPTH) calls.rename(directory, name, top, ("moved-up-" + movedUp++).getBytes(UTF_8));
            else removeDirectory(directory, name, depth);
        }
    }

    private void removeDirectory(int directory, byte[] name, int depth) throws IOException {
        int fd = calls.open(directory, name, OpenFlags.RDONLY | OpenFlags.DIRECTORY | OpenFlags.NOFOLLOW);
        try {
            if (depth == 0) top = fd;
            for (List<byte[]> names = calls.list(fd); !names.isEmpty(); names = calls.list(fd)) {
                for (byte[] child : names) remove(fd, child, depth + 1);
                calls.seek(fd, 0);
            }
        } finally {
            calls.close(fd);
        }
        calls.rmdir(directory, name);
    }
}
