package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.file.Path;

/// Makes and changes descriptors. All are close-on-exec.
public final class Descriptors {
    // The same numbers on x86-64, aarch64 and arm.
    private static final int O_WRONLY = 01;
    private static final int O_RDWR = 02;
    private static final int O_CREAT = 0100;
    private static final int O_APPEND = 02000;
    private static final int O_NONBLOCK = 04000;
    private static final int O_CLOEXEC = 02000000;
    private static final int F_SETFL = 4;
    private static final int SEEK_END = 2;
    private static final int LOCK_EX = 2;
    private static final int LOCK_NB = 4;
    private static final int TIOCSWINSZ = 0x5414;
    private static final int TIOCGPTPEER = 0x5441;
    private static final int O_NOCTTY = 0400;
    private static final int F_DUPFD_CLOEXEC = 1030;

    private Descriptors() {}

    /// The two ends of a pipe.
    public record Pipe(Fd readEnd, Fd writeEnd) {}

    /// @throws ErrnoException `EMFILE` when there are too many descriptors
    public static Pipe pipe() throws ErrnoException {
        int[] ends = new int[2];
        Libc.check(LoopCalls.pipe2(ends, O_CLOEXEC), "pipe2", null);
        return new Pipe(new Fd(ends[0]), new Fd(ends[1]));
    }

    /// Makes reads and writes of this end return at once. The other end is not concerned.
    public static void setNonBlocking(Fd fd) throws ErrnoException {
        // Access mode and creation flags are ignored by F_SETFL, and of the others none is set on pipes, sockets and terminals.
        Libc.check(LoopCalls.fcntl(fd.number(), F_SETFL, O_NONBLOCK), "fcntl(F_SETFL)", fd);
    }

    /// Another descriptor of the same open file.
    public static Fd duplicate(Fd fd) throws ErrnoException {
        return new Fd(Libc.check(LoopCalls.fcntl(fd.number(), F_DUPFD_CLOEXEC, 0), "fcntl(F_DUPFD_CLOEXEC)", fd));
    }

    /// The slave of a terminal, wherever its devpts is mounted.
    public static Fd openSlave(Fd master) throws ErrnoException {
        Pointer flags = new Pointer(O_RDWR | O_NOCTTY | O_CLOEXEC);
        return new Fd(Libc.check(LoopCalls.ioctl(master.number(), TIOCGPTPEER, flags), "ioctl(TIOCGPTPEER)", master));
    }

    /// `/dev/null`, for reading and writing.
    public static Fd openNull() throws ErrnoException {
        return new Fd(Libc.check(LoopCalls.open("/dev/null", O_RDWR | O_CLOEXEC, 0), "open", "/dev/null"));
    }

    /// A file, often a pipe, whose reads and writes return at once.
    public static Fd openNonBlocking(Path file, boolean forWriting) throws ErrnoException {
        int flags = (forWriting ? O_WRONLY : 0) | O_NONBLOCK | O_CLOEXEC;
        return new Fd(Libc.check(LoopCalls.open(file.toString(), flags, 0), "open", file));
    }

    /// A file every write goes to the end of, created when missing.
    ///
    /// @param mode permissions of a new file, reduced by the umask
    public static Fd openForAppend(Path file, int mode) throws ErrnoException {
        int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
        return new Fd(Libc.check(LoopCalls.open(file.toString(), flags, mode), "open", file));
    }

    /// Size in bytes of an open file.
    public static long size(Fd file) throws ErrnoException {
        return Libc.check(LoopCalls.lseek64(file.number(), 0, SEEK_END), "lseek", file);
    }

    public static void truncate(Fd file, long size) throws ErrnoException {
        Libc.check(LoopCalls.ftruncate64(file.number(), size), "ftruncate", file);
    }

    /// Takes the lock on `file` that lasts until its last descriptor is closed, also by the death of its holder.
    ///
    /// @return false when another process has it
    public static boolean tryLock(Fd file) throws ErrnoException {
        if (LoopCalls.flock(file.number(), LOCK_EX | LOCK_NB) == 0) return true;
        int errno = Native.getLastError();
        if (errno == Errno.EAGAIN.number()) return false;
        throw new ErrnoException(errno, "flock", file);
    }

    /// Makes descriptor `number` another name for `fd`'s file, whatever it was; it is inherited over execve.
    public static void replace(int number, Fd fd) throws ErrnoException {
        Libc.check(LoopCalls.dup2(fd.number(), number), "dup2", number);
    }

    /// Tells a terminal its size; the processes in its foreground get SIGWINCH.
    public static void setWindowSize(Fd terminal, int rows, int columns) throws ErrnoException {
        // struct winsize { unsigned short rows, columns, x pixels, y pixels }
        long address = Native.malloc(8);
        try {
            Pointer size = new Pointer(address);
            size.setLong(0, 0);
            size.setShort(0, (short) rows);
            size.setShort(2, (short) columns);
            Libc.check(LoopCalls.ioctl(terminal.number(), TIOCSWINSZ, size), "ioctl(TIOCSWINSZ)", terminal);
        } finally {
            Native.free(address);
        }
    }
}
