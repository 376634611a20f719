package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.graphdriver.ContainerLayer.Change;
import io.balena.engine.graphdriver.ContainerLayer.Change.Kind;
import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// What the upper folder of an overlay changes in the lower ones, as `docker diff` lists it: a folder only when itself or its
/// list of names changed.
final class LayerChanges {

    private final Path upper;
    private final List<Path> lowers;
    private final FileCalls calls = new FileCalls();
    private final List<Integer> lowerFds = new ArrayList<>();
    private final List<Change> changes = new ArrayList<>();

    /// @param lowers nearest first
    LayerChanges(Path upper, List<Path> lowers) {
        this.upper = upper;
        this.lowers = lowers;
    }

    List<Change> list() throws IOException {
        try {
            for (Path lower : lowers) lowerFds.add(calls.open(lower, OpenFlags.PATH | OpenFlags.DIRECTORY));
            int root = calls.open(upper, OpenFlags.RDONLY | OpenFlags.DIRECTORY);
            walk(root, "", new byte[0], true);
            return List.copyOf(changes);
        } finally {
            for (int fd : lowerFds) calls.close(fd);
        }
    }

    /// Closes `fd`.
    ///
    /// @param listed whether the folder itself is in the list, or is the root, which never is
    private void walk(int fd, String shown, byte[] path, boolean listed) throws IOException {
        try {
            List<byte[]> names = new ArrayList<>(calls.list(fd));
            names.sort(Arrays::compareUnsigned);
            for (byte[] name : names) {
                FileStat stat = calls.stat(fd, name);
                String childShown = shown + "/" + new String(name, UTF_8);
                byte[] child = join(path, name);
                Kind kind = kind(fd, name, stat, child);
                if (kind != null) {
                    if (kind != Kind.MODIFIED && !listed) {
                        changes.add(new Change(Kind.MODIFIED, shown));
                        listed = true;
                    }
                    changes.add(new Change(kind, childShown));
                }
                if (stat.isDirectory()) {
                    int next = calls.open(fd, name, OpenFlags.RDONLY | OpenFlags.DIRECTORY | OpenFlags.NOFOLLOW);
                    walk(next, childShown, child, kind != null);
                }
            }
        } finally {
            calls.close(fd);
        }
    }

    /// Null when a folder is there only because something in it changed.
    private Kind kind(int fd, byte[] name, FileStat stat, byte[] path) throws IOException {
        if (stat.isWhiteout()) return Kind.DELETED;
        if (stat.isDirectory() && isOpaque(fd, name)) return Kind.DELETED;
        for (int lower : lowerFds) {
            FileStat below = statIn(lower, path);
            if (below == null) continue;
            boolean sameFolder = stat.isDirectory() && below.isDirectory() && stat.mode() == below.mode()
                    && stat.size() == below.size() && stat.mtimeSeconds() == below.mtimeSeconds()
                    && stat.mtimeNanos() == below.mtimeNanos();
            return sameFolder ? null : Kind.MODIFIED;
        }
        return Kind.ADDED;
    }

    private boolean isOpaque(int fd, byte[] name) throws IOException {
        byte[] value = calls.getXattr(fd, name, "trusted.overlay.opaque");
        return value != null && value.length == 1 && value[0] == 'y';
    }

    private FileStat statIn(int root, byte[] path) throws IOException {
        int fd;
        try {
            fd = calls.openBy(root, path, OpenFlags.PATH | OpenFlags.NOFOLLOW, OpenFlags.RESOLVE_BENEATH | OpenFlags.RESOLVE_NO_SYMLINKS);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR || e.errno() == Errno.ELOOP) return null;
            throw e;
        }
        try {
            return calls.stat(fd);
        } finally {
            calls.close(fd);
        }
    }

    private static byte[] join(byte[] path, byte[] name) {
        if (path.length == 0) return name;
        byte[] joined = Arrays.copyOf(path, path.length + 1 + name.length);
        joined[path.length] = '/';
        System.arraycopy(name, 0, joined, path.length + 1, name.length);
        return joined;
    }
}
