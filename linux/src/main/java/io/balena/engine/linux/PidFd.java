package io.balena.engine.linux;

import java.io.IOException;

/// A process held by a descriptor, so that its number can never come to mean another process.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/pidfd_open.2.html">pidfd_open(2)</a>
public final class PidFd implements AutoCloseable {
    private final int pid;
    private final Fd fd;

    PidFd(int pid, Fd fd) {
        this.pid = pid;
        this.fd = fd;
    }

    /// @throws ErrnoException `ESRCH` when there is no such process
    public static PidFd open(int pid) throws IOException {
        throw new UnsupportedOperationException();
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
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {
        fd.close();
    }
}
