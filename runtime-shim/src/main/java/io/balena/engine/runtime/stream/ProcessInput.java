package io.balena.engine.runtime.stream;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.loop.EventLoop;

/// The shim's end of a process's stdin. What does not fit into the pipe is kept, and nothing more is taken meanwhile.
final class ProcessInput {
    private final Fd fd;
    private final EventLoop.Watch watch;
    private final boolean terminal;
    private final Runnable ready;
    private byte[] kept = new byte[0];
    private int from;
    private boolean closed;
    private boolean closing;

    /// @param terminal a terminal has one descriptor for both directions: it is not closed before its process ends
    /// @param ready called when what was kept has been written
    ProcessInput(Fd fd, boolean terminal, EventLoop loop, Runnable ready) {
        this.fd = fd;
        this.terminal = terminal;
        this.ready = ready;
        this.watch = loop.watch(fd, this::writable);
    }

    /// No more should be written now.
    boolean isFull() {
        return from < kept.length;
    }

    /// Takes all of it. Bytes for a process that has closed its stdin vanish.
    void write(NativeBuffer buffer, int offset, int length) {
        if (closed || closing) return;
        int written = 0;
        if (!isFull()) {
            try {
                written = Math.max(0, buffer.write(fd, offset, length));
            } catch (ErrnoException e) {
                close();
                return;
            }
            if (written == length) return;
        }
        int before = kept.length - from;
        byte[] rest = new byte[before + length - written];
        System.arraycopy(kept, from, rest, 0, before);
        buffer.get(offset + written, rest, before, length - written);
        kept = rest;
        from = 0;
        watch.want(Epoll.WRITABLE);
    }

    /// Lets the process read the end, after everything written before.
    void end() {
        if (terminal) return;
        if (isFull()) closing = true;
        else close();
    }

    void close() {
        if (closed) return;
        closed = true;
        kept = new byte[0];
        from = 0;
        watch.forget();
        fd.close();
    }

    private void writable(int events) {
        try (var buffer = new NativeBuffer(Math.min(kept.length - from, 64 << 10))) {
            int piece = buffer.capacity();
            buffer.put(0, kept, from, piece);
            from += Math.max(0, buffer.write(fd, 0, piece));
        } catch (ErrnoException e) {
            close();
            ready.run();
            return;
        }
        if (isFull()) return;
        kept = new byte[0];
        from = 0;
        watch.pause();
        if (closing) close();
        ready.run();
    }
}
