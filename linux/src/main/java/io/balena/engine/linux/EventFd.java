package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;

/// Wakes a thread that waits in [Epoll].
public final class EventFd implements AutoCloseable {
    private static final int EFD_CLOEXEC = 02000000;
    private static final int EFD_NONBLOCK = 04000;

    private final Fd fd;
    // Not shared with the reader: several threads may signal at once, all with the same eight bytes.
    private final long address = Native.malloc(16);
    private final Pointer one = new Pointer(address);

    public EventFd() throws ErrnoException {
        fd = new Fd(Libc.check(LoopCalls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd", null));
        one.setLong(0, 1);
    }

    public Fd fd() {
        return fd;
    }

    public void signal() {
        // Fails only when the counter is full: then the reader is woken anyway.
        LoopCalls.write(fd.number(), one, Long.BYTES);
    }

    /// Forgets the signals so far.
    public void reset() {
        LoopCalls.read(fd.number(), one.share(Long.BYTES), Long.BYTES);
    }

    @Override
    public void close() {
        fd.close();
        Native.free(address);
    }
}
