package io.balena.engine.linux;

import com.sun.jna.Native;
import java.io.IOException;
import java.util.OptionalInt;

/// A process held by a descriptor, so that its number can never come to mean another process.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/pidfd_open.2.html">pidfd_open(2)</a>
public final class PidFd implements AutoCloseable {
    private static final int POLLIN = 1;
    /// `_IOWR(0xFF, 11, struct pidfd_info)` of its first version.
    private static final int PIDFD_GET_INFO = 0xC040FF0B;
    private static final long PIDFD_INFO_EXIT = 8;
    private static final int INFO_BYTES = 64;
    private static final int INFO_EXIT_CODE = 60;

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

    /// How a process has ended that is not our child, once its parent has reaped it. Since Linux 6.15.
    ///
    /// @param timeoutMillis how long to wait for that
    /// @return its exit code, or 128 + the signal that ended it; empty when the kernel does not tell
    /// @see <a href="https://man7.org/linux/man-pages/man2/ioctl_pidfd.2.html">ioctl_pidfd(2)</a>
    public OptionalInt exitCode(int timeoutMillis) throws ErrnoException {
        OptionalInt status = reapedStatus();
        if (status.isEmpty() && knowsReaped()) {
            poll(0, timeoutMillis); // nothing but POLLHUP
            status = reapedStatus();
        }
        if (status.isEmpty()) return status;
        int signal = status.getAsInt() & 0x7f;
        return OptionalInt.of(signal == 0 ? status.getAsInt() >> 8 & 0xff : 128 + signal);
    }

    private OptionalInt reapedStatus() {
        try (var info = NativeMemory.zeroed(INFO_BYTES)) {
            info.pointer().setLong(0, PIDFD_INFO_EXIT);
            int result = LoopLibc.ioctl(fd.number(), PIDFD_GET_INFO, info.pointer());
            if (result == -1 || (info.pointer().getLong(0) & PIDFD_INFO_EXIT) == 0) return OptionalInt.empty();
            return OptionalInt.of(info.pointer().getInt(INFO_EXIT_CODE));
        }
    }

    /// Whether the kernel is one that knows such a question. An older one would have us wait in vain.
    private boolean knowsReaped() {
        try (var info = NativeMemory.zeroed(INFO_BYTES)) {
            info.pointer().setLong(0, PIDFD_INFO_EXIT);
            return LoopLibc.ioctl(fd.number(), PIDFD_GET_INFO, info.pointer()) == 0 || Native.getLastError() == Errno.ESRCH.number();
        }
    }

    /// Waits until the process has ended; it stays to be reaped.
    ///
    /// @param timeoutMillis -1 for no limit
    /// @return false when it has not ended within that time
    public boolean awaitEnded(int timeoutMillis) throws ErrnoException {
        return poll(POLLIN, timeoutMillis);
    }

    private boolean poll(int events, int timeoutMillis) throws ErrnoException {
        int result;
        do {
            // struct pollfd { int fd; short events, revents; }
            long[] descriptor = {fd.number() & 0xFFFFFFFFL | (long) events << 32};
            result = LoopLibc.poll(descriptor, 1, timeoutMillis);
        } while (result == -1 && Native.getLastError() == Errno.EINTR.number());
        return Libc.check(result, "poll", pid) > 0;
    }

    @Override
    public void close() {
        fd.close();
    }
}
