package io.balena.engine.linux;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.jna.Native;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// File calls relative to an open directory, with names as the kernel has them: bytes, in no particular encoding.
///
/// Names and results pass through memory that this object owns, so one object serves one thread at a time. Every call that
/// opens a file sets close-on-exec.
public final class FileCalls {
    /// In place of a directory: the thread's working directory.
    public static final int WORKING_DIRECTORY = -100;

    /// The most bytes that one [#write] moves.
    private static final int MAX_WRITE = 256 * 1024;

    private static final int PATH_MAX = 4096;
    private static final int AT_SYMLINK_NOFOLLOW = 0x100;
    private static final int AT_REMOVEDIR = 0x200;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final long STATX_ATTR_MOUNT_ROOT = 0x2000;
    private static final int SYNC_FILE_RANGE_WAIT_BEFORE = 1;
    private static final int SYNC_FILE_RANGE_WRITE = 2;
    private static final int POSIX_FADV_DONTNEED = 4;
    private static final int XATTR_SIZE_MAX = 64 * 1024;
    private static final int SEEK_SET = 0;
    private static final int OPEN_HOW_SIZE = 24;

    private final CallBuffer name = new CallBuffer(PATH_MAX);
    private final CallBuffer otherName = new CallBuffer(PATH_MAX);
    private final CallBuffer times = new CallBuffer(32);
    private final CallBuffer stat = new CallBuffer(256);
    /// Made when it is needed first: most objects of this class only open, name and sync.
    private CallBuffer data;

    /// Opens `name[from..to)` below `directory`.
    ///
    /// @param flags of [OpenFlags]; close-on-exec is added
    public int open(int directory, byte[] path, int from, int to, int flags, int mode) throws ErrnoException {
        put(name, path, from, to, "openat");
        int all = flags | OpenFlags.CLOEXEC | OpenFlags.LARGEFILE;
        int fd = FileLibc.openat(directory, name.pointer, all, mode);
        if (fd == -1) throw failed("openat", path, from, to);
        return fd;
    }

    public int open(int directory, byte[] path, int flags) throws ErrnoException {
        return open(directory, path, 0, path.length, flags, 0);
    }

    /// Opens an absolute path, or one relative to the working directory.
    public int open(Path path, int flags) throws ErrnoException {
        return open(WORKING_DIRECTORY, path.toString().getBytes(UTF_8), flags);
    }

    /// openat2(2): opens below `directory` by rules that the kernel enforces for every component.
    ///
    /// Before Linux 5.6, which lacks the call, no component may be a symbolic link or `..`, whatever `resolve` says.
    ///
    /// @param resolve `RESOLVE_*` of [OpenFlags]; magic links are never followed
    /// @throws ErrnoException `EXDEV` or `ELOOP` when a rule forbids the path
    public int openBy(int directory, byte[] path, int flags, long resolve) throws ErrnoException {
        put(name, path, 0, path.length, "openat2");
        // Unlike openat(2), this call refuses flags that have no meaning.
        int largeFile = (flags & OpenFlags.PATH) == 0 ? OpenFlags.LARGEFILE : 0;
        stat.bytes.putLong(0, flags | OpenFlags.CLOEXEC | largeFile)
                .putLong(8, 0)
                .putLong(16, resolve | OpenFlags.RESOLVE_NO_MAGICLINKS);
        int fd = Libc.call(Syscall.OPENAT2, directory, name.address, stat.address, OPEN_HOW_SIZE);
        if (fd != -1) return fd;
        if (Native.getLastError() == Errno.ENOSYS.number()) return openStepwise(directory, path, flags);
        throw failed("openat2", path, 0, path.length);
    }

    int openStepwise(int directory, byte[] path, int flags) throws ErrnoException {
        int current = directory;
        try {
            for (int at = 0; ; ) {
                while (at < path.length && path[at] == '/') at++;
                int end = at;
                while (end < path.length && path[end] != '/') end++;
                if (end - at == 2 && path[at] == '.' && path[at + 1] == '.') {
                    throw new ErrnoException(Errno.EXDEV.number(), "openat2", text(path, 0, path.length));
                }
                if (end == path.length) return open(current, path, at, end, flags | OpenFlags.NOFOLLOW, 0);
                int next = open(current, path, at, end, OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.NOFOLLOW, 0);
                if (current != directory) close(current);
                current = next;
                at = end;
            }
        } finally {
            if (current != directory) close(current);
        }
    }

    public void close(int fd) {
        Libc.close(fd);
    }

    /// Writes all of `bytes[from..to)` at the file's position.
    public void write(int fd, byte[] bytes, int from, int to) throws ErrnoException {
        while (from < to) {
            int length = Math.min(to - from, MAX_WRITE);
            data().bytes.put(0, bytes, from, length);
            int written = Libc.write(fd, data().pointer, length);
            if (written == -1) {
                if (Native.getLastError() == Errno.EINTR.number()) continue;
                throw new ErrnoException(Native.getLastError(), "write", "fd " + fd);
            }
            from += written;
        }
    }

    /// Reads into `bytes[from..from+length)`.
    ///
    /// @return bytes read, -1 at the end of the file
    public int read(int fd, byte[] bytes, int from, int length) throws ErrnoException {
        if (length == 0) return 0;
        int got = Libc.check(Libc.read(fd, data().pointer, Math.min(length, MAX_WRITE)), "read", "fd " + fd);
        if (got == 0) return -1;
        data().bytes.get(0, bytes, from, got);
        return got;
    }

    /// Moves the file's position to `offset` bytes from its start.
    public void seek(int fd, long offset) throws ErrnoException {
        Libc.check(Libc.lseek64(fd, offset, SEEK_SET), "lseek", "fd " + fd);
    }

    public void truncate(int fd, long size) throws ErrnoException {
        Libc.check(Libc.ftruncate64(fd, size), "ftruncate", "fd " + fd);
    }

    public void sync(int fd) throws ErrnoException {
        Libc.check(FileLibc.fsync(fd), "fsync", "fd " + fd);
    }

    /// Writes out all of the file system that `fd` is on, and no other.
    public void syncFileSystem(int fd) throws ErrnoException {
        Libc.check(FileLibc.syncfs(fd), "syncfs", "fd " + fd);
    }

    /// Starts writing out a range, without waiting. A hint: a file system that cannot do it is no error.
    public void startWriteBack(int fd, long offset, long bytes) {
        FileLibc.sync_file_range(fd, offset, bytes, SYNC_FILE_RANGE_WRITE);
    }

    /// Waits for what [#startWriteBack] started, and gives the pages of the range back to the system. Where the file system cannot do
    /// it, nothing happens.
    ///
    /// @throws ErrnoException `EIO`, `ENOSPC`, `EDQUOT` when the range could not be written; nobody else may hear of that
    public void finishWriteBack(int fd, long offset, long bytes) throws ErrnoException {
        if (FileLibc.sync_file_range(fd, offset, bytes, SYNC_FILE_RANGE_WAIT_BEFORE) == -1) {
            int errno = Native.getLastError();
            boolean lost = errno == Errno.EIO.number() || errno == Errno.ENOSPC.number() || errno == Errno.EDQUOT.number();
            if (lost) throw new ErrnoException(errno, "sync_file_range", "fd " + fd);
        }
        FileLibc.posix_fadvise64(fd, offset, bytes, POSIX_FADV_DONTNEED);
    }

    /// Gives the file's clean pages back to the system. A hint, too.
    public void dropFromPageCache(int fd) {
        FileLibc.posix_fadvise64(fd, 0, 0, POSIX_FADV_DONTNEED);
    }

    /// @param mode permissions, less the thread's umask
    public void mkdir(int directory, byte[] path, int from, int to, int mode) throws ErrnoException {
        put(name, path, from, to, "mkdirat");
        if (FileLibc.mkdirat(directory, name.pointer, mode) == -1) throw failed("mkdirat", path, from, to);
    }

    /// @param mode one of the types of [FileStat], and permissions
    public void mknod(int directory, byte[] path, int from, int to, int mode, int major, int minor) throws ErrnoException {
        put(name, path, from, to, "mknodat");
        if (FileLibc.mknodat(directory, name.pointer, mode, device(major, minor)) == -1) throw failed("mknodat", path, from, to);
    }

    public void symlink(byte[] target, int directory, byte[] path, int from, int to) throws ErrnoException {
        put(otherName, target, 0, target.length, "symlinkat");
        put(name, path, from, to, "symlinkat");
        if (FileLibc.symlinkat(otherName.pointer, directory, name.pointer) == -1) throw failed("symlinkat", path, from, to);
    }

    /// Makes `path` another name of `existing`, which is not followed when it is a symbolic link.
    public void link(int existingIn, byte[] existing, int directory, byte[] path, int from, int to) throws ErrnoException {
        put(otherName, existing, 0, existing.length, "linkat");
        put(name, path, from, to, "linkat");
        if (FileLibc.linkat(existingIn, otherName.pointer, directory, name.pointer, 0) == -1) {
            throw failed("linkat " + new String(existing, UTF_8) + " to", path, from, to);
        }
    }

    public void unlink(int directory, byte[] path) throws ErrnoException {
        put(name, path, 0, path.length, "unlinkat");
        if (FileLibc.unlinkat(directory, name.pointer, 0) == -1) throw failed("unlinkat", path, 0, path.length);
    }

    public void rmdir(int directory, byte[] path) throws ErrnoException {
        put(name, path, 0, path.length, "rmdir");
        if (FileLibc.unlinkat(directory, name.pointer, AT_REMOVEDIR) == -1) throw failed("rmdir", path, 0, path.length);
    }

    /// Replaces what has the new name, as rename(2) does.
    public void rename(int fromDirectory, byte[] from, int toDirectory, byte[] to) throws ErrnoException {
        put(otherName, from, 0, from.length, "renameat");
        put(name, to, 0, to.length, "renameat");
        if (FileLibc.renameat(fromDirectory, otherName.pointer, toDirectory, name.pointer) == -1) {
            throw failed("renameat " + new String(from, UTF_8) + " to", to, 0, to.length);
        }
    }

    public byte[] readlink(int directory, byte[] path) throws ErrnoException {
        put(name, path, 0, path.length, "readlinkat");
        int length = FileLibc.readlinkat(directory, name.pointer, otherName.pointer, PATH_MAX);
        if (length == -1) throw failed("readlinkat", path, 0, path.length);
        return copyOf(otherName, length);
    }

    public void chown(int fd, int uid, int gid) throws ErrnoException {
        Libc.check(FileLibc.fchown(fd, uid, gid), "fchown", "fd " + fd);
    }

    /// Does not follow a symbolic link.
    public void chown(int directory, byte[] path, int from, int to, int uid, int gid) throws ErrnoException {
        put(name, path, from, to, "fchownat");
        if (FileLibc.fchownat(directory, name.pointer, uid, gid, AT_SYMLINK_NOFOLLOW) == -1) throw failed("fchownat", path, from, to);
    }

    public void chmod(int fd, int mode) throws ErrnoException {
        Libc.check(Libc.fchmod(fd, mode), "fchmod", "fd " + fd);
    }

    /// Follows a symbolic link, as Linux knows no other way: not for names that may be one.
    public void chmod(int directory, byte[] path, int from, int to, int mode) throws ErrnoException {
        put(name, path, from, to, "fchmodat");
        if (FileLibc.fchmodat(directory, name.pointer, mode, 0) == -1) throw failed("fchmodat", path, from, to);
    }

    public void setTimes(int fd, long atimeSeconds, int atimeNanos, long mtimeSeconds, int mtimeNanos) throws ErrnoException {
        putTimes(atimeSeconds, atimeNanos, mtimeSeconds, mtimeNanos);
        Libc.check(FileLibc.futimens(fd, times.pointer), "futimens", "fd " + fd);
    }

    /// Does not follow a symbolic link.
    public void setTimes(int directory, byte[] path, int from, int to,
            long atimeSeconds, int atimeNanos, long mtimeSeconds, int mtimeNanos) throws ErrnoException {
        put(name, path, from, to, "utimensat");
        putTimes(atimeSeconds, atimeNanos, mtimeSeconds, mtimeNanos);
        if (FileLibc.utimensat(directory, name.pointer, times.pointer, AT_SYMLINK_NOFOLLOW) == -1) throw failed("utimensat", path, from, to);
    }

    /// Does not follow a symbolic link.
    public FileStat stat(int directory, byte[] path, int from, int to) throws ErrnoException {
        put(name, path, from, to, "statx");
        if (FileLibc.statx(directory, name.pointer, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, stat.pointer) == -1) throw failed("statx", path, from, to);
        return readStat();
    }

    public FileStat stat(int directory, byte[] path) throws ErrnoException {
        return stat(directory, path, 0, path.length);
    }

    public FileStat stat(int fd) throws ErrnoException {
        name.bytes.put(0, (byte) 0);
        Libc.check(FileLibc.statx(fd, name.pointer, AT_EMPTY_PATH, STATX_BASIC_STATS, stat.pointer), "statx", "fd " + fd);
        return readStat();
    }

    /// The names in the directory open as `fd` (not as [OpenFlags#PATH]), without `.` and `..`, in the order of the file system.
    public List<byte[]> list(int fd) throws ErrnoException {
        var names = new ArrayList<byte[]>();
        while (true) {
            int length = Libc.check(FileLibc.getdents64(fd, data().pointer, 32 * 1024), "getdents64", "fd " + fd);
            if (length == 0) return names;
            for (int at = 0; at < length; at += data().bytes.getShort(at + 16) & 0xffff) {
                byte[] entry = cString(data().bytes, at + 19);
                if (!isDotOrDotDot(entry)) names.add(entry);
            }
        }
    }

    /// Sets an extended attribute of an open file.
    ///
    /// @throws ErrnoException `EOPNOTSUPP` when the file system or the file's type has none of that kind
    public void setXattr(int fd, String attribute, byte[] value) throws ErrnoException {
        Libc.check(FileLibc.fsetxattr(fd, attribute, value, value.length, 0), "fsetxattr " + attribute, "fd " + fd);
    }

    /// Sets an extended attribute of a name below the thread's working directory, which is not followed.
    public void setXattr(byte[] path, String attribute, byte[] value) throws ErrnoException {
        put(name, path, 0, path.length, "lsetxattr");
        if (FileLibc.lsetxattr(name.pointer, attribute, value, value.length, 0) == -1) throw failed("lsetxattr " + attribute, path, 0, path.length);
    }

    /// Sets an extended attribute of a name below an open directory; a link is not followed.
    public void setXattr(int directory, byte[] path, String attribute, byte[] value) throws ErrnoException {
        putProcPath(directory, path);
        if (FileLibc.lsetxattr(name.pointer, attribute, value, value.length, 0) == -1) throw failed("lsetxattr " + attribute, path, 0, path.length);
    }

    /// @return null when there is no such attribute; a link is not followed
    public byte[] getXattr(int directory, byte[] path, String attribute) throws ErrnoException {
        putProcPath(directory, path);
        int length = FileLibc.lgetxattr(name.pointer, attribute, data().pointer, XATTR_SIZE_MAX);
        if (length == -1) {
            if (isNoAttribute(Native.getLastError())) return null;
            throw failed("lgetxattr " + attribute, path, 0, path.length);
        }
        return copyOf(data(), length);
    }

    /// The names of a file's extended attributes; a link is not followed.
    public List<String> listXattrs(int directory, byte[] path) throws ErrnoException {
        putProcPath(directory, path);
        int length = FileLibc.llistxattr(name.pointer, data().pointer, XATTR_SIZE_MAX);
        if (length == -1) {
            if (isNoAttribute(Native.getLastError())) return List.of();
            throw failed("llistxattr", path, 0, path.length);
        }
        var names = new ArrayList<String>();
        for (int at = 0; at < length; ) {
            byte[] attribute = cString(data().bytes, at);
            names.add(new String(attribute, UTF_8));
            at += attribute.length + 1;
        }
        return names;
    }

    /// Changes the working directory: of this thread alone after [ThreadRoot], else of the process.
    public void changeDirectory(int fd) throws ErrnoException {
        Libc.check(FileLibc.fchdir(fd), "fchdir", "fd " + fd);
    }

    // There are no *xattrat calls before Linux 6.13; the link in /proc leads to the directory whatever its path is now.
    private void putProcPath(int directory, byte[] path) throws ErrnoException {
        byte[] prefix = ("/proc/self/fd/" + directory + "/").getBytes(ISO_8859_1);
        byte[] whole = new byte[prefix.length + path.length];
        System.arraycopy(prefix, 0, whole, 0, prefix.length);
        System.arraycopy(path, 0, whole, prefix.length, path.length);
        put(name, whole, 0, whole.length, "xattr");
    }

    private static boolean isNoAttribute(int errno) {
        return errno == Errno.ENODATA.number() || errno == Errno.EOPNOTSUPP.number();
    }

    private CallBuffer data() {
        if (data == null) data = new CallBuffer(MAX_WRITE);
        return data;
    }

    private void putTimes(long atimeSeconds, int atimeNanos, long mtimeSeconds, int mtimeNanos) {
        ByteBuffer t = times.bytes;
        if (Native.LONG_SIZE == 8) {
            t.putLong(0, atimeSeconds).putLong(8, atimeNanos).putLong(16, mtimeSeconds).putLong(24, mtimeNanos);
        } else {
            t.putInt(0, (int) atimeSeconds).putInt(4, atimeNanos).putInt(8, (int) mtimeSeconds).putInt(12, mtimeNanos);
        }
    }

    /// Layout of `struct statx`, the same on every architecture.
    private FileStat readStat() {
        ByteBuffer s = stat.bytes;
        return new FileStat(s.getShort(28) & 0xffff, s.getInt(20), s.getInt(24), s.getLong(40), s.getInt(16) & 0xffffffffL,
                s.getLong(32), (long) s.getInt(136) << 32 | s.getInt(140) & 0xffffffffL,
                s.getInt(128), s.getInt(132), s.getLong(112), s.getInt(120), (s.getLong(8) & STATX_ATTR_MOUNT_ROOT) != 0);
    }

    private static void put(CallBuffer buffer, byte[] path, int from, int to, String call) throws ErrnoException {
        int length = to - from;
        if (length >= PATH_MAX) throw new ErrnoException(Errno.ENAMETOOLONG.number(), call, text(path, from, to));
        buffer.bytes.put(0, path, from, length).put(length, (byte) 0);
    }

    private static ErrnoException failed(String call, byte[] path, int from, int to) {
        return new ErrnoException(Native.getLastError(), call, text(path, from, to));
    }

    private static String text(byte[] path, int from, int to) {
        return new String(path, from, to - from, UTF_8);
    }

    private static byte[] copyOf(CallBuffer buffer, int length) {
        byte[] copy = new byte[length];
        buffer.bytes.get(0, copy);
        return copy;
    }

    private static byte[] cString(ByteBuffer bytes, int at) {
        int end = at;
        while (bytes.get(end) != 0) end++;
        byte[] copy = new byte[end - at];
        bytes.get(at, copy);
        return copy;
    }

    private static boolean isDotOrDotDot(byte[] n) {
        return n[0] == '.' && (n.length == 1 || n.length == 2 && n[1] == '.');
    }

    /// glibc's `makedev`.
    private static long device(int major, int minor) {
        return (major & 0xfffff000L) << 32 | (major & 0xfffL) << 8 | (minor & 0xffffff00L) << 12 | minor & 0xffL;
    }
}
