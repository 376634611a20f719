package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Makes the files of a tar in a folder of a tree that a container may be changing meanwhile.
///
/// The folder of each file is opened by the kernel with the tree's root as root, so that no symbolic link, however quickly it is
/// exchanged, leads out (CVE-2018-15664); the file is made there by its last name, which is not followed. As in Docker, what is in the
/// way is replaced, except a folder by a folder, missing folders are made, names and links that lead out of the destination are refused,
/// and the entry `.` is passed over. Unlike [LayerWriter], it takes whiteouts for the files they are.
final class TreeWriter implements TarParser.Visitor, AutoCloseable {
    private static final byte[] DOT = {'.'};
    private static final int MISSING_MODE = 0755;
    private static final long WITHIN = OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_MAGICLINKS;

    private final TreeArchive tree;
    private final byte[] destination;
    private final TreeArchive.Rules rules;
    private final FileCalls calls = new FileCalls();
    private final List<TarEntry> folders = new ArrayList<>();

    /// The folder that files were made in last.
    private int parent = -1;
    private byte[] parentPath;

    /// The file whose content is being written, if any.
    private int fd = -1;
    private TarEntry file;
    private long missing;
    private long position;

    TreeWriter(TreeArchive tree, String destination, TreeArchive.Rules rules) {
        this.tree = tree;
        this.destination = destination.getBytes(UTF_8);
        this.rules = rules;
    }

    @Override
    public void raw(byte[] bytes, int from, int to) {}

    @Override
    public void entry(TarEntry entry) throws IOException {
        if (entry.isDot) return;
        if (TarPath.leaves(entry.name)) {
            throw refused("\"" + Path.of(entry.toString()).normalize() + "\" is outside of \"" + shown(new byte[0]) + "\"");
        }
        try {
            make(entry);
        } catch (ErrnoException e) {
            throw explained(e, entry);
        }
    }

    private void make(TarEntry entry) throws IOException {
        byte[] name = name(entry.path);
        int folder = parent(entry.path);
        boolean there = makeRoom(entry, folder, name);
        switch (entry.type) {
            case TarEntry.REGULAR -> {
                fd = calls.open(folder, name, 0, name.length, OpenFlags.WRONLY | OpenFlags.CREAT | OpenFlags.EXCL | OpenFlags.NOFOLLOW, 0600);
                file = entry;
                missing = entry.stored;
                position = 0;
                if (missing == 0) endFile();
                return;
            }
            case TarEntry.DIRECTORY -> {
                if (!there) calls.mkdir(folder, name, 0, name.length, 0700);
                folders.add(entry);
            }
            case TarEntry.SYMLINK -> {
                if (TarPath.leaves(relativeTarget(entry))) throw refused("invalid symlink \"" + shown(entry.path) + "\" -> \"" + text(entry.linkName) + "\"");
                calls.symlink(entry.linkName, folder, name, 0, name.length);
            }
            case TarEntry.HARD_LINK -> link(entry, folder, name);
            case TarEntry.CHARACTER_DEVICE -> node(entry, folder, name, FileStat.CHARACTER_DEVICE);
            case TarEntry.BLOCK_DEVICE -> node(entry, folder, name, FileStat.BLOCK_DEVICE);
            case TarEntry.FIFO -> node(entry, folder, name, FileStat.FIFO);
            default -> throw new AssertionError(entry.type);
        }
        setAttributes(entry, folder, name);
    }

    /// Removes what is in the way.
    ///
    /// @return whether the folder to be made is there
    private boolean makeRoom(TarEntry entry, int folder, byte[] name) throws IOException {
        FileStat found;
        try {
            found = calls.stat(folder, name);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT) return false;
            throw e;
        }
        if (found.isDirectory() && entry.isDirectory()) return true;
        if (rules.keepsKinds() && found.isDirectory()) {
            throw refused("cannot overwrite directory \"" + shown(entry.path) + "\" with non-directory \"" + shown(new byte[0]) + "\"");
        }
        if (rules.keepsKinds() && entry.isDirectory()) {
            throw refused("cannot overwrite non-directory \"" + shown(entry.path) + "\" with directory \"" + shown(new byte[0]) + "\"");
        }
        TreeRemoval.sparingMounts(calls).remove(folder, name);
        return false;
    }

    private void link(TarEntry entry, int folder, byte[] name) throws IOException {
        byte[] target = TarPath.clean(entry.linkName);
        if (TarPath.leaves(entry.linkName)) {
            throw refused("invalid hardlink \"" + Path.of(shown(new byte[0]), text(entry.linkName)).normalize() + "\" -> \"" + text(entry.linkName) + "\"");
        }
        try (var in = new Fd(calls.openBy(tree.root(), absolute(above(target)), OpenFlags.PATH | OpenFlags.DIRECTORY, WITHIN))) {
            calls.link(in.number(), name(target), folder, name, 0, name.length);
        } catch (ErrnoException e) {
            throw new IOException("link " + shown(target) + " " + shown(entry.path) + ": " + why(e), e);
        }
    }

    private void node(TarEntry entry, int folder, byte[] name, int type) throws IOException {
        calls.mknod(folder, name, 0, name.length, type | 0600, entry.deviceMajor, entry.deviceMinor);
    }

    @Override
    public void content(byte[] bytes, int from, int to, long offset) throws IOException {
        try {
            if (offset != position) calls.seek(fd, offset);
            calls.write(fd, bytes, from, to);
            position = offset + to - from;
            missing -= to - from;
            if (missing == 0) endFile();
        } catch (ErrnoException e) {
            throw explained(e, file);
        }
    }

    private void endFile() throws IOException {
        if (file.sparse) calls.truncate(fd, file.size);
        calls.chown(fd, user(file), group(file));
        // chown(2) takes these bits away, and open(2) does not give them on every file system.
        calls.chmod(fd, file.mode & 07777);
        for (var xattr : xattrs(file).entrySet()) setXattr(() -> calls.setXattr(fd, xattr.getKey(), xattr.getValue()));
        calls.setTimes(fd, file.accessSeconds(), file.accessNanos(), file.mtimeSeconds, file.mtimeNanos);
        calls.close(fd);
        fd = -1;
    }

    private void setAttributes(TarEntry entry, int folder, byte[] name) throws IOException {
        int end = name.length;
        calls.chown(folder, name, 0, end, user(entry), group(entry));
        if (entry.type != TarEntry.SYMLINK) changeMode(entry, folder, name);
        for (var xattr : xattrs(entry).entrySet()) setXattr(() -> calls.setXattr(folder, name, xattr.getKey(), xattr.getValue()));
        calls.setTimes(folder, name, 0, end, entry.accessSeconds(), entry.accessNanos(), entry.mtimeSeconds, entry.mtimeNanos);
    }

    /// chmod(2) would follow a link that has come in the file's place.
    private void changeMode(TarEntry entry, int folder, byte[] name) throws IOException {
        try (var found = new Fd(calls.open(folder, name, OpenFlags.PATH | OpenFlags.NOFOLLOW))) {
            if (calls.stat(found.number()).isSymlink()) return;
            byte[] opened = ("/proc/thread-self/fd/" + found.number()).getBytes(UTF_8);
            calls.chmod(FileCalls.WORKING_DIRECTORY, opened, 0, opened.length, entry.mode & 07777);
        }
    }

    /// After the last entry: a folder's times have changed with each file in it.
    void finish() throws IOException {
        for (TarEntry entry : folders) {
            byte[] name = name(entry.path);
            try {
                calls.setTimes(parent(entry.path), name, 0, name.length, entry.accessSeconds(), entry.accessNanos(), entry.mtimeSeconds, entry.mtimeNanos);
            } catch (ErrnoException e) {
                if (e.errno() != Errno.ENOENT && e.errno() != Errno.ENOTDIR) throw e; // replaced by a later entry, or by somebody else
            }
        }
    }

    private interface XattrCall {
        void set() throws IOException;
    }

    /// What the file system or the file's type cannot hold is passed over, as Docker does.
    private static void setXattr(XattrCall call) throws IOException {
        try {
            call.set();
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EOPNOTSUPP && e.errno() != Errno.EPERM) throw e;
        }
    }

    private static Map<String, byte[]> xattrs(TarEntry entry) {
        return entry.xattrs == null ? Map.of() : entry.xattrs;
    }

    private int user(TarEntry entry) throws IOException {
        return tree.owners().hostUser(rules.owner().map(TreeArchive.Owner::user).orElse(entry.uid));
    }

    private int group(TarEntry entry) throws IOException {
        return tree.owners().hostGroup(rules.owner().map(TreeArchive.Owner::group).orElse(entry.gid));
    }

    // Paths

    /// The folder that `path` is in, open until the next call; made, with those above it, when it is missing.
    private int parent(byte[] path) throws IOException {
        byte[] wanted = above(path);
        if (Arrays.equals(wanted, parentPath)) return parent;
        int opened = openOrMake(wanted);
        if (parent >= 0) calls.close(parent);
        parent = opened;
        parentPath = wanted;
        return parent;
    }

    private int openOrMake(byte[] path) throws IOException {
        try {
            return open(path);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENOENT || path.length == 0) throw e;
        }
        try (var folder = new Fd(openOrMake(above(path)))) {
            byte[] name = name(path);
            calls.mkdir(folder.number(), name, 0, name.length, MISSING_MODE);
            calls.chown(folder.number(), name, 0, name.length, tree.owners().rootUser(), tree.owners().rootGroup());
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) throw e;
        }
        return open(path);
    }

    private int open(byte[] path) throws IOException {
        return calls.openBy(tree.root(), absolute(path), OpenFlags.PATH | OpenFlags.DIRECTORY, WITHIN);
    }

    /// From the tree's root.
    private byte[] absolute(byte[] path) {
        byte[] all = Arrays.copyOf(destination, destination.length + 1 + path.length);
        all[destination.length] = '/';
        System.arraycopy(path, 0, all, destination.length + 1, path.length);
        return all;
    }

    private static byte[] above(byte[] path) {
        return Arrays.copyOf(path, Math.max(0, lastSlash(path)));
    }

    /// The last name; `.` for the destination itself.
    private static byte[] name(byte[] path) {
        return path.length == 0 ? DOT : Arrays.copyOfRange(path, lastSlash(path) + 1, path.length);
    }

    private static int lastSlash(byte[] path) {
        int at = path.length - 1;
        while (at >= 0 && path[at] != '/') at--;
        return at;
    }

    /// What the link leads to, seen from the destination; Docker takes absolute ones for relative, too, and lets them pass.
    private static byte[] relativeTarget(TarEntry entry) {
        byte[] folder = above(entry.path);
        byte[] all = Arrays.copyOf(folder, folder.length + 1 + entry.linkName.length);
        all[folder.length] = '/';
        System.arraycopy(entry.linkName, 0, all, folder.length + 1, entry.linkName.length);
        return folder.length == 0 ? Arrays.copyOfRange(all, 1, all.length) : all;
    }

    private String shown(byte[] path) {
        String folder = text(destination);
        if (path.length == 0) return folder.isEmpty() ? "/" : folder;
        return (folder.equals("/") ? "" : folder) + "/" + text(path);
    }

    private static String text(byte[] path) {
        return new String(path, UTF_8);
    }

    /// As Docker words it, which names calls by their older names.
    private IOException explained(ErrnoException e, TarEntry entry) {
        return new IOException(e.call().replaceFirst("^(open|mkdir|mknod|symlink)at2?$", "$1") + " " + shown(entry.path) + ": " + why(e), e);
    }

    private static String why(ErrnoException e) {
        return e.errno().text().toLowerCase(Locale.ROOT);
    }

    private static InvalidLayerException refused(String why) {
        return new InvalidLayerException(why);
    }

    /// Takes away the file that was not finished.
    @Override
    public void close() {
        if (fd >= 0) {
            calls.close(fd);
            try {
                calls.unlink(parent, name(file.path));
            } catch (ErrnoException e) {
                // Nobody can do more: what made the writing fail is told.
            }
        }
        if (parent >= 0) calls.close(parent);
    }
}
