package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.OpenFlags;
import java.io.ByteArrayOutputStream;
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

/// The upper folder of an overlay as a layer tar, or a merged one as the tar of all files, produced as it is read. Names are in
/// order, so that the same folder gives the same tar.
///
/// A file that grows meanwhile is cut at the size its header told, one that shrinks is filled with zeros.
final class LayerDiff extends TarSource {
    private static final byte[] WHITEOUT = ".wh.".getBytes(US_ASCII);
    private static final byte[] OPAQUE = ".wh..wh..opq".getBytes(US_ASCII);

    private record Inode(long device, long number) {}

    private record Folder(int fd, byte[] path, Iterator<byte[]> names) {}

    private final FileCalls calls = new FileCalls();
    private final Deque<Folder> folders = new ArrayDeque<>();
    private final Map<Inode, byte[]> linked = new HashMap<>();
    private int fd = -1;
    private long missing;
    private int padding;
    private boolean ended;

    private final IdentityMapping owners;

    private LayerDiff(IdentityMapping owners) {
        this.owners = owners;
    }

    /// @param owners says who the owners of files are in containers
    static InputStream open(Path upper, IdentityMapping owners) throws IOException {
        var diff = new LayerDiff(owners);
        diff.enter(diff.calls.open(upper, OpenFlags.RDONLY | OpenFlags.DIRECTORY), new byte[0]);
        return diff;
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
            if (member(folder, folder.names().next())) return true;
        }
        if (ended) return false;
        ended = true;
        give(new byte[2 * TarParser.RECORD]);
        return true;
    }

    /// @return false for what a tar cannot hold
    private boolean member(Folder folder, byte[] name) throws IOException {
        FileStat stat = calls.stat(folder.fd(), name);
        byte[] path = concat(folder.path(), name);
        var out = new TarHeaders(owners);
        if (stat.isWhiteout()) {
            give(out.write(concat(folder.path(), concat(WHITEOUT, name)), stat, TarEntry.REGULAR, 0, null, Map.of()));
            return true;
        }
        Map<String, byte[]> xattrs = xattrs(folder.fd(), name);
        byte[] mark = xattrs.remove("trusted.overlay.opaque");
        boolean opaque = mark != null && mark.length == 1 && mark[0] == 'y';
        xattrs.keySet().removeIf(key -> key.startsWith("trusted.overlay."));
        if (!stat.isDirectory() && stat.links() > 1) {
            byte[] first = linked.putIfAbsent(new Inode(stat.device(), stat.inode()), path);
            if (first != null) {
                give(out.write(path, stat, TarEntry.HARD_LINK, 0, first, xattrs));
                return true;
            }
        }
        switch (stat.type()) {
            case FileStat.DIRECTORY -> {
                byte[] withSlash = concat(path, new byte[] {'/'});
                out.write(withSlash, stat, TarEntry.DIRECTORY, 0, null, xattrs);
                if (opaque) out.write(concat(withSlash, OPAQUE), stat, TarEntry.REGULAR, 0, null, Map.of());
                give(out.bytes());
                enter(calls.open(folder.fd(), name, OpenFlags.RDONLY | OpenFlags.DIRECTORY | OpenFlags.NOFOLLOW), withSlash);
            }
            case FileStat.REGULAR -> {
                fd = calls.open(folder.fd(), name, OpenFlags.RDONLY | OpenFlags.NOFOLLOW | OpenFlags.NONBLOCK);
                missing = stat.size();
                padding = (int) (-missing & TarParser.RECORD - 1);
                give(out.write(path, stat, TarEntry.REGULAR, stat.size(), null, xattrs));
            }
            case FileStat.SYMLINK -> give(out.write(path, stat, TarEntry.SYMLINK, 0, calls.readlink(folder.fd(), name), xattrs));
            case FileStat.CHARACTER_DEVICE -> give(out.write(path, stat, TarEntry.CHARACTER_DEVICE, 0, null, xattrs));
            case FileStat.BLOCK_DEVICE -> give(out.write(path, stat, TarEntry.BLOCK_DEVICE, 0, null, xattrs));
            case FileStat.FIFO -> give(out.write(path, stat, TarEntry.FIFO, 0, null, xattrs));
            default -> {
                return false; // sockets
            }
        }
        return true;
    }

    private Map<String, byte[]> xattrs(int folder, byte[] name) throws IOException {
        var xattrs = new java.util.TreeMap<String, byte[]>();
        for (String key : calls.listXattrs(folder, name)) {
            if (key.equals("security.selinux")) continue; // the host's label, not the file's
            byte[] value = calls.getXattr(folder, name, key);
            if (value != null) xattrs.put(key, key.equals("security.capability") ? withoutRoot(value) : value);
        }
        return xattrs;
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

    /// Writes a member's headers: ustar, with a PAX header before it for what does not fit.
    private static final class TarHeaders {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();
        private final IdentityMapping owners;

        TarHeaders(IdentityMapping owners) {
            this.owners = owners;
        }

        byte[] bytes() {
            return out.toByteArray();
        }

        byte[] write(byte[] name, FileStat stat, byte type, long size, byte[] link, Map<String, byte[]> xattrs) {
            var pax = new ByteArrayOutputStream();
            if (name.length > 100) record(pax, "path", name);
            if (link != null && link.length > 100) record(pax, "linkpath", link);
            if (size > 077777777777L) record(pax, "size", text(size));
            long uid = owners.containerUser(stat.uid()) & 0xffffffffL;
            long gid = owners.containerGroup(stat.gid()) & 0xffffffffL;
            if (uid > 07777777) record(pax, "uid", text(uid));
            if (gid > 07777777) record(pax, "gid", text(gid));
            boolean plainTime = stat.mtimeNanos() == 0 && stat.mtimeSeconds() >= 0 && stat.mtimeSeconds() <= 077777777777L;
            if (!plainTime) record(pax, "mtime", time(stat).getBytes(US_ASCII));
            xattrs.forEach((key, value) -> record(pax, "SCHILY.xattr." + key, value));
            if (pax.size() > 0) {
                header("PaxHeaders.0/file".getBytes(US_ASCII), 'x', 0644, 0, 0, pax.size(), 0, null, 0, 0);
                out.writeBytes(pax.toByteArray());
                out.writeBytes(new byte[-pax.size() & TarParser.RECORD - 1]);
            }
            header(name, type, stat.permissions(), uid, gid, size, stat.mtimeSeconds(), link, stat.rdevMajor(), stat.rdevMinor());
            return bytes();
        }

        private void header(byte[] name, int type, int mode, long uid, long gid, long size, long mtime, byte[] link, int major, int minor) {
            byte[] b = new byte[TarParser.RECORD];
            System.arraycopy(name, 0, b, 0, Math.min(name.length, 100));
            octal(b, 100, 8, mode);
            octal(b, 108, 8, uid);
            octal(b, 116, 8, gid);
            octal(b, 124, 12, size);
            octal(b, 136, 12, mtime);
            b[156] = (byte) type;
            if (link != null) System.arraycopy(link, 0, b, 157, Math.min(link.length, 100));
            System.arraycopy("ustar\00000".getBytes(US_ASCII), 0, b, 257, 8);
            octal(b, 329, 8, major);
            octal(b, 337, 8, minor);
            Arrays.fill(b, 148, 156, (byte) ' ');
            int sum = 0;
            for (byte each : b) sum += each & 0xff;
            System.arraycopy(String.format("%06o\0 ", sum).getBytes(US_ASCII), 0, b, 148, 8);
            out.writeBytes(b);
        }

        /// What does not fit is in the PAX header.
        private static void octal(byte[] b, int at, int length, long value) {
            boolean fits = value >= 0 && value < 1L << 3 * (length - 1);
            for (int i = length - 2; i >= 0; i--) {
                b[at + i] = (byte) ('0' + (fits ? value & 7 : 0));
                value >>>= 3;
            }
        }

        /// The length in front counts its own digits.
        private static void record(ByteArrayOutputStream pax, String key, byte[] value) {
            byte[] name = key.getBytes(UTF_8);
            int rest = name.length + value.length + 3;
            int length = rest + text(rest).length;
            if (rest + text(length).length != length) length = rest + text(length).length;
            pax.writeBytes(text(length));
            pax.write(' ');
            pax.writeBytes(name);
            pax.write('=');
            pax.writeBytes(value);
            pax.write('\n');
        }

        /// Seconds with a fraction; before 1970 the fraction counts away from zero.
        private static String time(FileStat stat) {
            return new java.math.BigDecimal(stat.mtimeSeconds())
                    .add(java.math.BigDecimal.valueOf(stat.mtimeNanos(), 9)).stripTrailingZeros().toPlainString();
        }

        private static byte[] text(long number) {
            return Long.toString(number).getBytes(US_ASCII);
        }
    }
}
