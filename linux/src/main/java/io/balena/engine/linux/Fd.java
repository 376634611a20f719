package io.balena.engine.linux;

import com.sun.jna.Native;
import java.nio.file.Path;

/// An open file descriptor with one owner, who closes it once.
///
/// Descriptors made in this module are close-on-exec unless the method that makes them says otherwise.
public final class Fd implements AutoCloseable {
    private static final int F_SETFL = 4;
    private static final int F_DUPFD_CLOEXEC = 1030;
    private static final int F_SETPIPE_SZ = 1031;
    private static final int SEEK_END = 2;
    private static final int LOCK_EX = 2;
    private static final int LOCK_NB = 4;

    private int number;

    /// Takes ownership of `number`.
    public Fd(int number) {
        if (number < 0) throw new IllegalArgumentException("not a file descriptor: " + number);
        this.number = number;
    }

    /// Opens a file that exists.
    ///
    /// @param flags of [OpenFlags], to which close-on-exec is added
    public static Fd open(Path path, int flags) throws ErrnoException {
        return open(path, flags, 0);
    }

    /// Opens a file.
    ///
    /// @param flags of [OpenFlags], to which close-on-exec is added
    /// @param mode permissions of a file that is created, reduced by the umask
    public static Fd open(Path path, int flags, int mode) throws ErrnoException {
        int all = flags | OpenFlags.CLOEXEC | OpenFlags.LARGEFILE;
        return new Fd(Libc.check(Libc.open(path.toString(), all, mode), "open", path));
    }

    /// `/dev/null`, for reading and writing.
    public static Fd openNull() throws ErrnoException {
        return open(Path.of("/dev/null"), OpenFlags.RDWR);
    }

    /// @throws IllegalStateException after [#close()] or [#release()]: the kernel may have given the number to another file
    public int number() {
        if (number < 0) throw new IllegalStateException("file descriptor already closed");
        return number;
    }

    /// Reads what is there, waiting for the first byte.
    ///
    /// @return bytes read, 0 at the end
    /// @throws ErrnoException `EIO` from a terminal nobody has open any more
    public int read(byte[] buffer) throws ErrnoException {
        return Libc.check(Libc.read(number(), buffer, buffer.length), "read", this);
    }

    /// Makes reads and writes of this end return at once. The other end is not concerned.
    public void setNonBlocking() throws ErrnoException {
        // Access mode and creation flags are ignored by F_SETFL, and of the others none is set on pipes, sockets and terminals.
        Libc.check(Libc.fcntl(number(), F_SETFL, OpenFlags.NONBLOCK), "fcntl(F_SETFL)", this);
    }

    /// Lets a pipe hold so many bytes. Memory is taken only by what it does hold.
    ///
    /// @throws ErrnoException `EBADF` of what is no pipe, `EPERM` when its user has too much in pipes
    public void setPipeSize(int bytes) throws ErrnoException {
        Libc.check(Libc.fcntl(number(), F_SETPIPE_SZ, bytes), "fcntl(F_SETPIPE_SZ)", this);
    }

    /// Size in bytes of a file; its position moves there.
    public long size() throws ErrnoException {
        return Libc.check(Libc.lseek64(number(), 0, SEEK_END), "lseek", this);
    }

    /// @param size bytes
    public void truncate(long size) throws ErrnoException {
        Libc.check(Libc.ftruncate64(number(), size), "ftruncate", this);
    }

    /// Takes the lock on the file that lasts until its last descriptor is closed, also by the death of its holder.
    ///
    /// @return false when another process has it
    public boolean tryLock() throws ErrnoException {
        if (LoopLibc.flock(number(), LOCK_EX | LOCK_NB) == 0) return true;
        int errno = Native.getLastError();
        if (errno == Errno.EAGAIN.number()) return false;
        throw new ErrnoException(errno, "flock", this);
    }

    /// Another descriptor for the same open file.
    ///
    /// @throws ErrnoException `EMFILE` when there are too many
    public Fd duplicate() throws ErrnoException {
        return duplicate(0);
    }

    /// Another descriptor for the same open file, with a number of at least `least`.
    ///
    /// @throws ErrnoException `EMFILE` when there are too many
    public Fd duplicate(int least) throws ErrnoException {
        return new Fd(Libc.check(Libc.fcntl(number(), F_DUPFD_CLOEXEC, least), "fcntl(F_DUPFD_CLOEXEC)", this));
    }

    /// Makes descriptor `other` another name for this one's file, whatever it was; it is inherited over execve.
    public void replace(int other) throws ErrnoException {
        Libc.check(LoopLibc.dup2(number(), other), "dup2", other);
    }

    /// @param user -1 leaves it as it is
    /// @param group -1 leaves it as it is
    public void changeOwner(int user, int group) throws ErrnoException {
        Libc.check(FileLibc.fchown(number(), user, group), "fchown", this);
    }

    /// Hands ownership to the caller; this object no longer closes it.
    public int release() {
        int released = number();
        number = -1;
        return released;
    }

    /// Closes the descriptor. The result of close(2) is ignored: the descriptor is gone even on error, and write errors
    /// that matter were reported by fsync(2).
    @Override
    public void close() {
        if (number < 0) return;
        int closing = number;
        number = -1;
        Libc.close(closing);
    }

    @Override
    public String toString() {
        return "fd " + number;
    }
}
