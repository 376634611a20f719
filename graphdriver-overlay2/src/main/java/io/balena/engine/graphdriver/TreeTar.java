package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// A folder, or a file, as a tar that is produced as it is read. Names are in order, so that the same folder gives the same tar.
///
/// A file that grows meanwhile is cut at the size its header told, one that shrinks is filled with zeros.
final class TreeTar extends TarSource {
    private static final byte[] WHITEOUT = ".wh.".getBytes(US_ASCII);
    private static final String CAPABILITY = "security.capability";
    private static final byte[] OPAQUE = ".wh..wh..opq".getBytes(US_ASCII);

    private record Inode(long device, long number) {}

    private record Folder(int fd, byte[] path, Iterator<byte[]> names) {}

    private enum Kind {
        /// What overlayfs keeps for itself in an upper folder is told in the words of layers.
        LAYER,
        /// All is what it is; of attributes there are capabilities alone, and times are in whole seconds, as in Docker.
        FILES
    }

    private final Kind kind;
    private final FileCalls calls = new FileCalls();
    private final Deque<Folder> folders = new ArrayDeque<>();
    private final Map<Inode, byte[]> linked = new HashMap<>();
    private int fd = -1;
    private long missing;
    private int padding;
    private boolean ended;

    private final IdentityMapping owners;

    private TreeTar(Kind kind, IdentityMapping owners) {
        this.kind = kind;
        this.owners = owners;
    }

    /// The upper folder of an overlay as a layer, or a merged one.
    ///
    /// @param owners says who the owners of files are in containers
    static InputStream ofLayer(Path upper, IdentityMapping owners) throws IOException {
        var tar = new TreeTar(Kind.LAYER, owners);
        tar.enter(tar.calls.open(upper, OpenFlags.RDONLY | OpenFlags.DIRECTORY), new byte[0]);
        return tar;
    }

    /// One file, or a folder with all it holds.
    ///
    /// @param folder that it is in, open; stays the caller's
    /// @param name in that folder, a symbolic link's perhaps; `.` for the folder itself
    /// @param called what it is called in the tar
    /// @param owners says who the owners of files are in containers
    static InputStream ofFile(int folder, byte[] name, byte[] called, IdentityMapping owners) throws IOException {
        var tar = new TreeTar(Kind.FILES, owners);
        try {
            tar.member(folder, name, called);
            return tar;
        } catch (IOException | RuntimeException e) {
            tar.close();
            throw e;
        }
    }

    @Override
    int produce(byte[] to, int offset, int length) throws IOException {
        if (missing > 0) return content(to, offset, length);
        if (fd >= 0) {
            calls.close(fd);
            fd = -1;
        }
        if (padding == 0) return next() ? 0 : -1;
        give(new byte[padding]);
        padding = 0;
        return 0;
    }

    private int content(byte[] to, int offset, int length) throws IOException {
        int wanted = (int) Math.min(length, missing);
        int got = calls.read(fd, to, offset, wanted);
        if (got < 0) {
            Arrays.fill(to, offset, offset + wanted, (byte) 0);
            got = wanted;
        }
        missing -= got;
        return got;
    }

    private void enter(int folder, byte[] path) throws IOException {
        List<byte[]> names = new ArrayList<>(calls.list(folder));
        names.sort(Arrays::compareUnsigned);
        folders.push(new Folder(folder, path, names.iterator()));
    }

    private boolean next() throws IOException {
        while (!folders.isEmpty()) {
            Folder folder = folders.peek();
            if (!folder.names().hasNext()) {
                calls.close(folders.pop().fd());
                continue;
            }
            byte[] name = folder.names().next();
            if (member(folder.fd(), name, concat(folder.path(), name))) return true;
        }
        if (ended) return false;
        ended = true;
        give(new byte[2 * TarParser.RECORD]);
        return true;
    }

    /// @param path what it is called in the tar
    /// @return false for what a tar cannot hold
    private boolean member(int folder, byte[] name, byte[] path) throws IOException {
        FileStat stat = calls.stat(folder, name);
        var out = new TarHeaders(owners, kind == Kind.FILES);
        if (kind == Kind.LAYER && stat.isWhiteout()) {
            give(out.write(hiding(path, name), stat, TarEntry.REGULAR, 0, null, Map.of()));
            return true;
        }
        Map<String, byte[]> xattrs = kind == Kind.LAYER ? xattrs(folder, name) : capability(folder, name);
        boolean opaque = kind == Kind.LAYER && takeOverlayState(xattrs);
        if (!stat.isDirectory() && stat.links() > 1) {
            byte[] first = linked.putIfAbsent(new Inode(stat.device(), stat.inode()), path);
            if (first != null) {
                give(out.write(path, stat, TarEntry.HARD_LINK, 0, first, xattrs));
                return true;
            }
        }
        switch (stat.type()) {
            case FileStat.DIRECTORY -> {
                byte[] withSlash = path.length == 1 && path[0] == '/' ? path : concat(path, new byte[] {'/'});
                out.write(withSlash, stat, TarEntry.DIRECTORY, 0, null, xattrs);
                if (opaque) out.write(concat(withSlash, OPAQUE), stat, TarEntry.REGULAR, 0, null, Map.of());
                give(out.bytes());
                enter(calls.open(folder, name, OpenFlags.RDONLY | OpenFlags.DIRECTORY | OpenFlags.NOFOLLOW), withSlash);
            }
            case FileStat.REGULAR -> {
                if (!openRegular(folder, name)) return false;
                missing = stat.size();
                padding = (int) (-missing & TarParser.RECORD - 1);
                give(out.write(path, stat, TarEntry.REGULAR, stat.size(), null, xattrs));
            }
            case FileStat.SYMLINK -> give(out.write(path, stat, TarEntry.SYMLINK, 0, calls.readlink(folder, name), xattrs));
            case FileStat.CHARACTER_DEVICE -> give(out.write(path, stat, TarEntry.CHARACTER_DEVICE, 0, null, xattrs));
            case FileStat.BLOCK_DEVICE -> give(out.write(path, stat, TarEntry.BLOCK_DEVICE, 0, null, xattrs));
            case FileStat.FIFO -> give(out.write(path, stat, TarEntry.FIFO, 0, null, xattrs));
            default -> {
                return false; // sockets
            }
        }
        return true;
    }

    /// A container that may make device nodes, though not open them, could put a disk in a file's place while we look: what was found is
    /// what is opened, and only if it is a file.
    private boolean openRegular(int folder, byte[] name) throws IOException {
        try (var found = new Fd(calls.open(folder, name, OpenFlags.PATH | OpenFlags.NOFOLLOW))) {
            if (!calls.stat(found.number()).isRegular()) return false;
            fd = calls.open(Path.of("/proc/thread-self/fd/" + found.number()), OpenFlags.RDONLY);
            return true;
        }
    }

    /// Where the whiteout of a name goes.
    private static byte[] hiding(byte[] path, byte[] name) {
        return concat(Arrays.copyOf(path, path.length - name.length), concat(WHITEOUT, name));
    }

    private Map<String, byte[]> xattrs(int folder, byte[] name) throws IOException {
        var xattrs = new TreeMap<String, byte[]>();
        for (String key : calls.listXattrs(folder, name)) {
            if (key.equals("security.selinux")) continue; // the host's label, not the file's
            byte[] value = calls.getXattr(folder, name, key);
            if (value != null) xattrs.put(key, key.equals(CAPABILITY) ? withoutRoot(value) : value);
        }
        return xattrs;
    }

    /// @return whether the folder hides what lower layers have in it
    private static boolean takeOverlayState(Map<String, byte[]> xattrs) {
        byte[] mark = xattrs.get("trusted.overlay.opaque");
        xattrs.keySet().removeIf(key -> key.startsWith("trusted.overlay."));
        return mark != null && mark.length == 1 && mark[0] == 'y';
    }

    private Map<String, byte[]> capability(int folder, byte[] name) throws IOException {
        byte[] value = calls.getXattr(folder, name, CAPABILITY);
        return value == null ? Map.of() : Map.of(CAPABILITY, withoutRoot(value));
    }

    /// Capabilities that a user namespace's root has given to a file name him (revision 3 of `struct vfs_ns_cap_data`); in an image,
    /// which is nobody's, they do not (revision 2, shorter by his id).
    private static byte[] withoutRoot(byte[] capability) {
        if (capability.length != 24 || capability[3] != 3) return capability;
        byte[] plain = Arrays.copyOf(capability, 20);
        plain[3] = 2;
        return plain;
    }

    private static byte[] concat(byte[] a, byte[] b) {
        byte[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    @Override
    void release() {
        if (fd >= 0) calls.close(fd);
        while (!folders.isEmpty()) calls.close(folders.pop().fd());
    }
}
