package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/// Waits for many descriptors at once, level-triggered. For one thread.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/epoll.7.html">epoll(7)</a>
public final class Epoll implements AutoCloseable {
    public static final int READABLE = 0x001;
    public static final int WRITABLE = 0x004;
    public static final int ERROR = 0x008;
    /// Both directions are closed; reported whether asked for or not.
    public static final int HANGUP = 0x010;

    private static final int ADD = 1;
    private static final int DELETE = 2;
    private static final int MODIFY = 3;

    // struct epoll_event { uint32_t events; uint64_t data; }, packed on x86 only.
    private static final boolean PACKED = Platform.isIntel();
    private static final int DATA = PACKED ? 4 : 8;
    private static final int SIZE = PACKED ? 12 : 16;
    private static final int CAPACITY = 64;

    private final Fd epoll;
    private final NativeMemory memory = new NativeMemory(SIZE * (CAPACITY + 1));
    private final Pointer ready = memory.pointer();
    private final Pointer argument = ready.share((long) SIZE * CAPACITY);

    public Epoll() throws ErrnoException {
        epoll = new Fd(Libc.check(LoopLibc.epoll_create1(OpenFlags.CLOEXEC), "epoll_create1", null));
    }

    /// @param token comes back from [#token(int)]
    public void add(Fd fd, int events, long token) throws ErrnoException {
        control(ADD, fd, events, token);
    }

    public void modify(Fd fd, int events, long token) throws ErrnoException {
        control(MODIFY, fd, events, token);
    }

    public void remove(Fd fd) throws ErrnoException {
        control(DELETE, fd, 0, 0);
    }

    /// @param timeoutMillis -1 for none
    /// @return how many descriptors are ready; see [#token(int)] and [#events(int)]
    public int await(int timeoutMillis) throws ErrnoException {
        int count = LoopLibc.epoll_wait(epoll.number(), ready, CAPACITY, timeoutMillis);
        if (count >= 0) return count;
        int errno = Native.getLastError();
        if (errno == Errno.EINTR.number()) return 0;
        throw new ErrnoException(errno, "epoll_wait", null);
    }

    public long token(int index) {
        return ready.getLong((long) index * SIZE + DATA);
    }

    public int events(int index) {
        return ready.getInt((long) index * SIZE);
    }

    @Override
    public void close() {
        epoll.close();
        memory.close();
    }

    private void control(int operation, Fd fd, int events, long token) throws ErrnoException {
        argument.setInt(0, events);
        argument.setLong(DATA, token);
        Libc.check(LoopLibc.epoll_ctl(epoll.number(), operation, fd.number(), argument), "epoll_ctl", fd);
    }
}
