package io.balena.engine.linux;

import com.sun.jna.Native;
import java.io.IOException;

/// A process held by a descriptor, so that its number can never come to mean another process.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/pidfd_open.2.html">pidfd_open(2)</a>
public final class PidFd implements AutoCloseable {
    private static final int POLLIN = 1;

    private final int pid;
    private final Fd fd;

    PidFd(int pid, Fd fd) {
        this.pid = pid;
        this.fd = fd;
    }

    /// @throws ErrnoException `ESRCH` when there is no such process
    public static PidFd open(int pid) throws IOException {
        return new PidFd(pid, new Fd(Libc.check(Libc.call(Syscall.PIDFD_OPEN, pid, 0, 0, 0), "pidfd_open", pid)));
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
        Libc.check(Libc.call(Syscall.PIDFD_SEND_SIGNAL, fd.number(), signal, 0, 0), "pidfd_send_signal", pid);
    }

    /// A copy of a descriptor the process has open.
    ///
    /// @throws ErrnoException `EBADF` when it has no such descriptor, `ESRCH` when it has ended
    public Fd descriptor(int number) throws ErrnoException {
        return new Fd(Libc.check(Libc.call(Syscall.PIDFD_GETFD, fd.number(), number, 0, 0), "pidfd_getfd", pid));
    }

    /// Waits for the end of a child of this process and frees its number.
    ///
    /// @return its exit code, or 128 + the signal that ended it
    /// @throws ErrnoException `ECHILD` when it is not our child, or was waited for already
    public int awaitEnd() throws ErrnoException {
        return Children.awaitEnd(this);
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
            result = LoopLibc.poll(descriptor, 1, timeoutMillis);
        } while (result == -1 && Native.getLastError() == Errno.EINTR.number());
        return Libc.check(result, "poll", pid) > 0;
    }

    @Override
    public void close() {
        fd.close();
    }
}
