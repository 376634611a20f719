package io.balena.engine.linux;

import com.sun.jna.Pointer;

/// Wakes a thread that waits in [Epoll].
public final class EventFd implements AutoCloseable {
    private final Fd fd;
    // Not shared with the reader: several threads may signal at once, all with the same eight bytes.
    private final NativeMemory memory = NativeMemory.zeroed(2 * Long.BYTES);
    private final Pointer one = memory.pointer();

    public EventFd() throws ErrnoException {
        fd = create();
        one.setLong(0, 1);
    }

    /// The bare descriptor, non-blocking: readable while its counter is not 0.
    static Fd create() throws ErrnoException {
        return new Fd(Libc.check(LoopLibc.eventfd(0, OpenFlags.CLOEXEC | OpenFlags.NONBLOCK), "eventfd", null));
    }

    public Fd fd() {
        return fd;
    }

    public void signal() {
        // Fails only when the counter is full: then the reader is woken anyway.
        Libc.write(fd.number(), one, Long.BYTES);
    }

    /// Forgets the signals so far.
    public void reset() {
        Libc.read(fd.number(), one.share(Long.BYTES), Long.BYTES);
    }

    @Override
    public void close() {
        fd.close();
        memory.close();
    }
}
