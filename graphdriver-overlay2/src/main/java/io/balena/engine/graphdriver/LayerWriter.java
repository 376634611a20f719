package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Makes files out of tar entries, below the root of the thread that it runs on.
///
/// Meant for a thread whose root is the layer: the kernel then resolves every path, link and `..` inside the layer, whatever
/// the tar says. As Docker does it: what is in the way is replaced, except a folder by a folder; missing parents are made;
/// whiteouts become what overlayfs takes for them; the entry `./` is passed over.
///
/// A folder's mode, times and attributes are set at the end: its times change with each file in it, its setgid bit and its
/// default ACL would be inherited.
final class LayerWriter implements AutoCloseable {
    private static final byte[] WHITEOUT = {'.', 'w', 'h', '.'};
    private static final byte[] OPAQUE = ".wh..wh..opq".getBytes(StandardCharsets.US_ASCII);
    private static final String OPAQUE_XATTR = "trusted.overlay.opaque";
    private static final byte[] ROOT = {'/'};
    private static final int SPECIAL_BITS = 07000;
    private static final Set<Errno> TAR_FAULTS = EnumSet.of(Errno.ENOENT, Errno.ENOTDIR, Errno.EISDIR, Errno.EEXIST,
            Errno.ELOOP, Errno.ENAMETOOLONG, Errno.EINVAL, Errno.EMLINK, Errno.EXDEV, Errno.ERANGE, Errno.E2BIG, Errno.EFBIG);
    /// With the zero at its end, the longest path that one system call takes. Folders are opened stepwise here, but whoever reads
    /// the file again may not do so.
    private static final int PATH_MAX = 4096;
    /// Write-back of a file begins each time this much was written: the same as in balenaEngine.
    private static final long WRITE_BACK_STEP = 2 * 1024 * 1024;
    /// What of a file may be in memory while it is written. The rest is on the disk and its pages are given back, so that a big layer
    /// does not push out what applications have in the page cache.
    private static final long WRITE_BACK_WINDOW = 8 * 1024 * 1024;

    private final IdentityMapping owners;
    private final FileCalls calls = new FileCalls();
    private final OpenFolders folders;
    private final List<TarEntry> directories = new ArrayList<>();
    private final List<byte[]> bigFiles = new ArrayList<>();
    private long size;
    private boolean replaced;
    private boolean rootSet;

    private TarEntry file;
    private int fd = -1;
    private long missing;
    private long position;
    private long writeBackFrom;
    private long givenBackTo;

    /// @param owners whose files on the host those of the tar's users are
    LayerWriter(IdentityMapping owners) {
        this.owners = owners;
        this.folders = new OpenFolders(calls, owners);
    }

    /// Does what the block says.
    void write(Block block) throws IOException {
        for (Step step : block.steps) {
            switch (step) {
                case TarEntry entry -> begin(entry);
                case Step.Content content -> content(block.bytes, content);
            }
        }
    }

    /// Ends the layer, after the last block.
    Extracted finish() throws IOException {
        // Deepest last is not needed: setting a folder's own times does not touch its parent's.
        for (TarEntry entry : directories) finishDirectory(entry);
        return new Extracted(size, rootSet, bigFiles);
    }

    /// @param size bytes in regular files and symbolic links, hard links counted once
    /// @param rootSet the tar told the owner and mode of the layer's root
    /// @param bigFiles paths of files whose pages are worth giving back one by one
    record Extracted(long size, boolean rootSet, List<byte[]> bigFiles) {}

    @Override
    public void close() {
        if (fd >= 0) calls.close(fd);
        fd = -1;
        folders.close();
    }

    private void begin(TarEntry entry) throws IOException {
        try {
            create(entry);
        } catch (ErrnoException e) {
            throw explained(e, entry);
        }
    }

    /// Errors that the tar is to blame for, told from those of the disk.
    private static IOException explained(ErrnoException e, TarEntry entry) {
        return TAR_FAULTS.contains(e.errno()) ? new InvalidLayerException("cannot extract " + entry + ": " + e.getMessage()) : e;
    }

    private void create(TarEntry entry) throws IOException {
        byte[] path = entry.path;
        if (path.length == 0) {
            root(entry);
            return;
        }
        if (path.length >= PATH_MAX) throw new ErrnoException(Errno.ENAMETOOLONG.number(), "open", entry.toString());
        int slash = lastSlash(path);
        int base = slash + 1;
        int parent = folders.open(path, Math.max(slash, 0));
        if (startsWith(path, base, WHITEOUT)) {
            whiteout(entry, parent, base);
            return;
        }
        switch (entry.type) {
            case TarEntry.REGULAR -> regular(entry, parent, base);
            case TarEntry.DIRECTORY -> directory(entry, parent, base);
            case TarEntry.SYMLINK -> symlink(entry, parent, base);
            case TarEntry.HARD_LINK -> hardLink(entry, parent, base);
            case TarEntry.CHARACTER_DEVICE -> node(entry, parent, base, FileStat.CHARACTER_DEVICE);
            case TarEntry.BLOCK_DEVICE -> node(entry, parent, base, FileStat.BLOCK_DEVICE);
            case TarEntry.FIFO -> node(entry, parent, base, FileStat.FIFO);
            default -> throw new AssertionError(entry.type);
        }
    }

    private void root(TarEntry entry) throws IOException {
        if (!entry.isDirectory()) throw new InvalidLayerException("the root of a layer has to be a directory: " + entry);
        if (entry.isDot) return;
        calls.chown(FileCalls.WORKING_DIRECTORY, ROOT, 0, 1, owners.hostUser(entry.uid), owners.hostGroup(entry.gid));
        directories.add(entry);
        rootSet = true;
    }

    // Regular files

    private void regular(TarEntry entry, int parent, int base) throws IOException {
        byte[] path = entry.path;
        int flags = OpenFlags.WRONLY | OpenFlags.CREAT | OpenFlags.EXCL | OpenFlags.NOFOLLOW;
        int mode = entry.mode & 07777;
        try {
            fd = calls.open(parent, path, base, path.length, flags, mode);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) throw e;
            makeRoom(parent, path, base);
            fd = calls.open(parent, path, base, path.length, flags, mode);
        }
        file = entry;
        missing = entry.stored;
        position = 0;
        writeBackFrom = 0;
        givenBackTo = 0;
        size += entry.size;
        if (missing == 0) endRegular();
    }

    private void content(byte[] bytes, Step.Content content) throws IOException {
        if (content.offset() != position) calls.seek(fd, content.offset());
        calls.write(fd, bytes, content.from(), content.to());
        int length = content.to() - content.from();
        position = content.offset() + length;
        missing -= length;
        if (position - writeBackFrom >= WRITE_BACK_STEP) writeBack();
        if (missing == 0) {
            try {
                endRegular();
            } catch (ErrnoException e) {
                throw explained(e, file);
            }
        }
    }

    private void writeBack() throws IOException {
        calls.startWriteBack(fd, writeBackFrom, position - writeBackFrom);
        writeBackFrom = position;
        long keptFrom = position - WRITE_BACK_WINDOW;
        if (keptFrom - givenBackTo < WRITE_BACK_STEP) return;
        calls.finishWriteBack(fd, givenBackTo, keptFrom - givenBackTo);
        givenBackTo = keptFrom;
    }

    private void endRegular() throws IOException {
        TarEntry entry = file;
        if (entry.sparse) calls.truncate(fd, entry.size);
        int user = owners.hostUser(entry.uid);
        int group = owners.hostGroup(entry.gid);
        if (user != 0 || group != 0) calls.chown(fd, user, group);
        // chown(2) takes these bits away, and open(2) does not give them on every file system.
        if ((entry.mode & SPECIAL_BITS) != 0) calls.chmod(fd, entry.mode & 07777);
        if (entry.xattrs != null) {
            for (var xattr : entry.xattrs.entrySet()) setXattr(xattr, (name, value) -> calls.setXattr(fd, name, value));
        }
        if (writeBackFrom > 0) {
            calls.startWriteBack(fd, writeBackFrom, entry.size - writeBackFrom);
            bigFiles.add(entry.path);
        }
        calls.setTimes(fd, entry.accessSeconds(), entry.accessNanos(), entry.mtimeSeconds, entry.mtimeNanos);
        calls.close(fd);
        fd = -1;
    }

    // Others

    private void directory(TarEntry entry, int parent, int base) throws IOException {
        byte[] path = entry.path;
        try {
            calls.mkdir(parent, path, base, path.length, 0700);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) throw e;
            if (!calls.stat(parent, path, base, path.length).isDirectory()) {
                makeRoom(parent, path, base);
                calls.mkdir(parent, path, base, path.length, 0700);
            }
        }
        chown(entry, parent, base, path.length);
        directories.add(entry);
    }

    private void finishDirectory(TarEntry entry) throws IOException {
        try {
            int directory = calls.open(FileCalls.WORKING_DIRECTORY, entry.path.length == 0 ? ROOT : entry.path,
                    OpenFlags.RDONLY | OpenFlags.DIRECTORY | OpenFlags.NOFOLLOW);
            try {
                calls.chmod(directory, entry.mode & 07777);
                if (entry.xattrs != null) {
                    for (var xattr : entry.xattrs.entrySet()) {
                        setXattr(xattr, (name, value) -> calls.setXattr(directory, name, value));
                    }
                }
                        calls.setTimes(directory, entry.accessSeconds(), entry.accessNanos(), entry.mtimeSeconds, entry.mtimeNanos);
            } finally {
                calls.close(directory);
            }
        } catch (ErrnoException e) {
            // A later entry put something else in its place.
            boolean gone = e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR || e.errno() == Errno.ELOOP;
            if (!gone || !replaced) throw explained(e, entry);
        }
    }

    private void symlink(TarEntry entry, int parent, int base) throws IOException {
        byte[] path = entry.path;
        try {
            calls.symlink(entry.linkName, parent, path, base, path.length);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) throw e;
            makeRoom(parent, path, base);
            calls.symlink(entry.linkName, parent, path, base, path.length);
        }
        size += entry.linkName.length;
        chown(entry, parent, base, path.length);
        setXattrs(entry, parent, base);
        setTimes(entry, parent, base);
    }

    private void hardLink(TarEntry entry, int parent, int base) throws IOException {
        byte[] path = entry.path;
        byte[] target = TarPath.clean(entry.linkName);
        if (target.length == 0) throw new InvalidLayerException("hard link to the root: " + entry);
        try {
            calls.link(FileCalls.WORKING_DIRECTORY, target, parent, path, base, path.length);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.EPERM) throw new InvalidLayerException("cannot extract " + entry + ": " + e.getMessage()); // a folder
            if (e.errno() != Errno.EEXIST) throw e;
            if (Arrays.equals(target, path)) throw new InvalidLayerException("hard link to itself: " + entry);
            makeRoom(parent, path, base);
            calls.link(FileCalls.WORKING_DIRECTORY, target, parent, path, base, path.length);
        }
        // The link's own header counts, too, as it does in Docker; as a rule it says what is so already.
        FileStat stat = calls.stat(parent, path, base, path.length);
        boolean symlink = stat.isSymlink();
        boolean owner = stat.uid() != owners.hostUser(entry.uid) || stat.gid() != owners.hostGroup(entry.gid);
        if (owner) chown(entry, parent, base, path.length);
        if (!symlink && (owner || stat.permissions() != (entry.mode & 07777))) {
            calls.chmod(parent, path, base, path.length, entry.mode & 07777);
        }
        setXattrs(entry, parent, base);
        if (!symlink && (stat.mtimeSeconds() != entry.mtimeSeconds || stat.mtimeNanos() != entry.mtimeNanos)) {
            setTimes(entry, parent, base);
        }
    }

    private void node(TarEntry entry, int parent, int base, int type) throws IOException {
        byte[] path = entry.path;
        int mode = type | entry.mode & 07777;
        try {
            calls.mknod(parent, path, base, path.length, mode, entry.deviceMajor, entry.deviceMinor);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) throw e;
            makeRoom(parent, path, base);
            calls.mknod(parent, path, base, path.length, mode, entry.deviceMajor, entry.deviceMinor);
        }
        chown(entry, parent, base, path.length);
        calls.chmod(parent, path, base, path.length, entry.mode & 07777);
        setXattrs(entry, parent, base);
        setTimes(entry, parent, base);
    }

    /// `.wh.NAME` hides NAME of the layers below, `.wh..wh..opq` all that they have in this folder.
    private void whiteout(TarEntry entry, int parent, int base) throws IOException {
        byte[] path = entry.path;
        if (Arrays.equals(path, base, path.length, OPAQUE, 0, OPAQUE.length)) {
            if (base == 0) calls.changeDirectory(folders.root());
            else calls.changeDirectory(parent);
            calls.setXattr(new byte[] {'.'}, OPAQUE_XATTR, new byte[] {'y'});
            calls.changeDirectory(folders.root());
        } else {
            int hidden = base + WHITEOUT.length;
            if (hidden == path.length) throw new InvalidLayerException("whiteout of nothing: " + entry);
            calls.mknod(parent, path, hidden, path.length, FileStat.CHARACTER_DEVICE, 0, 0);
            chown(entry, parent, hidden, path.length);
        }
        if (entry.isRegular() && entry.stored > 0) throw new InvalidLayerException("whiteout with content: " + entry);
    }

    // Common to several

    private void chown(TarEntry entry, int parent, int from, int to) throws IOException {
        calls.chown(parent, entry.path, from, to, owners.hostUser(entry.uid), owners.hostGroup(entry.gid));
    }

    /// Removes what is in the way: a whiteout as a rule, or what the tar reached by another name. Without a file's content, or a
    /// link that led to some, the tar could not be put together again: Docker takes such a layer in, and cannot give it out.
    private void makeRoom(int parent, byte[] path, int base) throws IOException {
        byte[] name = Arrays.copyOfRange(path, base, path.length);
        FileStat stat = calls.stat(parent, name);
        long content = stat.isDirectory() ? sizeOf(parent, name) : stat.size();
        if (content > 0) throw new InvalidLayerException("duplicates of file paths not supported: " + new String(path, UTF_8));
        new TreeRemoval(calls).remove(parent, name);
        folders.forget();
        replaced = true;
    }

    private long sizeOf(int parent, byte[] name) throws IOException {
        int folder = calls.open(parent, name, OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.NOFOLLOW);
        try {
            return new TreeSize(calls).of(folder);
        } finally {
            calls.close(folder);
        }
    }

    private void setTimes(TarEntry entry, int parent, int base) throws IOException {
        calls.setTimes(parent, entry.path, base, entry.path.length, entry.accessSeconds(), entry.accessNanos(), entry.mtimeSeconds, entry.mtimeNanos);
    }

    private interface XattrCall {
        void set(String name, byte[] value) throws IOException;
    }

    private void setXattrs(TarEntry entry, int parent, int base) throws IOException {
        if (entry.xattrs == null) return;
        byte[] name = Arrays.copyOfRange(entry.path, base, entry.path.length);
        calls.changeDirectory(parent);
        try {
            for (var xattr : entry.xattrs.entrySet()) setXattr(xattr, (key, value) -> calls.setXattr(name, key, value));
        } finally {
            calls.changeDirectory(folders.root());
        }
    }

    /// What the file system or the file's type cannot hold is passed over, as Docker does. overlayfs keeps its own state under
    /// `trusted.overlay.`; a layer must not speak in its name.
    private static void setXattr(Map.Entry<String, byte[]> xattr, XattrCall call) throws IOException {
        String name = xattr.getKey();
        if (name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.")) return;
        try {
            call.set(name, xattr.getValue());
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EOPNOTSUPP && e.errno() != Errno.EPERM) throw e;
        }
    }

    private static int lastSlash(byte[] path) {
        for (int i = path.length - 1; i >= 0; i--) if (path[i] == '/') return i;
        return -1;
    }

    private static boolean startsWith(byte[] path, int at, byte[] prefix) {
        return path.length - at >= prefix.length
                && Arrays.equals(path, at, at + prefix.length, prefix, 0, prefix.length);
    }

    /// Loads what this class needs, for a thread that will not be able to.
    static void load() {
        try {
            for (Class<?> type : List.of(IdentityMapping.Range.class, UnmappedIdException.class, OpenFolders.class, TreeRemoval.class, TreeSize.class, Extracted.class, XattrCall.class,
                    InvalidLayerException.class, ErrnoException.class, FileStat.class, OpenFlags.class, TarPath.class)) {
                MethodHandles.lookup().ensureInitialized(type);
            }
            new LayerWriter(IdentityMapping.NONE).close();
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }
}
