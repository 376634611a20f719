package io.balena.engine.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.io.IOException;

/// A process held by a descriptor, so that its number can never come to mean another process.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/pidfd_open.2.html">pidfd_open(2)</a>
public final class PidFd implements AutoCloseable {
    private static final int PIDFD_SEND_SIGNAL = 424;
    private static final int PIDFD_OPEN = 434;
    private static final int PIDFD_GETFD = 438;

    private static final int P_PIDFD = 3;
    private static final int POLLIN = 1;
    private static final int WEXITED = 4;
    private static final int WALL = 0x40000000;
    private static final int CLD_EXITED = 1;
    private static final int SIGINFO_BYTES = 128;
    private static final int SIGINFO_CODE = 8;
    private static final int SIGINFO_STATUS = Native.POINTER_SIZE == 8 ? 24 : 20;

    private final int pid;
    private final Fd fd;

    PidFd(int pid, Fd fd) {
        this.pid = pid;
        this.fd = fd;
    }

    /// @throws ErrnoException `ESRCH` when there is no such process
    public static PidFd open(int pid) throws IOException {
        long fd = Libc.check(ProcessCalls.syscall(PIDFD_OPEN, pid, 0, 0, 0, 0), "pidfd_open", pid);
        return new PidFd(pid, new Fd((int) fd));
    }

    public int pid() {
        return pid;
    }

    /// Readable, as epoll sees it, once the process has ended.
    public Fd fd() {
        return fd;
    }

    /// @throws ErrnoException `ESRCH` when it has ended
    public void signal(int signal) throws IOException {
        Libc.check(ProcessCalls.syscall(PIDFD_SEND_SIGNAL, fd.number(), signal, 0, 0, 0), "pidfd_send_signal", pid);
    }

    /// A copy of a descriptor the process has open.
    ///
    /// @throws ErrnoException `EBADF` when it has no such descriptor, `ESRCH` when it has ended
    public Fd descriptor(int number) throws ErrnoException {
        long copy = ProcessCalls.syscall(PIDFD_GETFD, fd.number(), number, 0, 0, 0);
        return new Fd((int) Libc.check(copy, "pidfd_getfd", pid));
    }

    /// Waits for the end of a child of this process and frees its number.
    ///
    /// @return its exit code, or 128 + the signal that ended it
    /// @throws ErrnoException `ECHILD` when it is not our child, or was waited for already
    public int awaitEnd() throws ErrnoException {
        try (Memory info = new Memory(SIGINFO_BYTES)) {
            int result;
            do {
                result = ProcessCalls.waitid(P_PIDFD, fd.number(), info, WEXITED | WALL);
            } while (result == -1 && Native.getLastError() == Errno.EINTR.number());
            Libc.check(result, "waitid", pid);
            return exitCode(info);
        }
    }

    /// Waits until the process has ended; it stays to be reaped.
    ///
    /// @param timeoutMillis -1 for no limit
    /// @return false when it has not ended within that time
    public boolean awaitEnded(int timeoutMillis) throws ErrnoException {
        int result;
        do {
            // struct pollfd { int fd; short events, revents; }
            long[] descriptor = {fd.number() & 0xFFFFFFFFL | (long) POLLIN << 32};
            result = ProcessCalls.poll(descriptor, 1, timeoutMillis);
        } while (result == -1 && Native.getLastError() == Errno.EINTR.number());
        return Libc.check(result, "poll", pid) > 0;
    }

    private static int exitCode(Pointer info) {
        int status = info.getInt(SIGINFO_STATUS);
        return info.getInt(SIGINFO_CODE) == CLD_EXITED ? status : 128 + status;
    }

    @Override
    public void close() {
        fd.close();
    }
}
