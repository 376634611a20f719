package io.balena.engine.runtime.stream;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.wire.Message;

/// One accepted client, as bytes: what it sends is handed on, what it does not take yet is kept, up to a limit.
public final class Connection {
    /// Whoever leaves more than this unread is dropped.
    static final int MAX_UNSENT_BYTES = 4 << 20;

    /// What becomes of the bytes; changes when a connection turns from requests to a stream.
    public interface Receiver {
        /// @param buffer valid until this returns
        void received(NativeBuffer buffer, int offset, int length);

        /// Everything kept back was sent.
        default void drained() {}

        /// The client is gone. Called once, whoever closed.
        default void closed() {}
    }

    private final Fd fd;
    private final ShimBuffers buffers;
    private final EventLoop.Watch watch;
    private Receiver receiver;
    private boolean reading = true;
    private boolean closed;
    private boolean closeWhenDrained;
    /// The client takes nothing any more, but what it sent before it left may still be unread.
    private boolean hungUp;
    private byte[] unsent = new byte[0];
    private int unsentFrom;
    private int unsentTo;

    /// @param buffers lent by the shim for the time of a call
    public Connection(Fd fd, ShimBuffers buffers, EventLoop loop) {
        this.fd = fd;
        this.buffers = buffers;
        this.watch = loop.watch(fd, this::ready);
    }

    public void start(Receiver first) {
        receiver = first;
        wait(true);
    }

    public void become(Receiver next) {
        receiver = next;
    }

    /// Stops or goes on taking what the client sends. Its disappearance is noticed either way.
    public void wait(boolean forInput) {
        reading = forInput;
        want();
    }

    public boolean isClosed() {
        return closed;
    }

    /// The client has not taken all that was sent to it.
    boolean isBehind() {
        return unsentTo > unsentFrom;
    }

    public void send(byte[] bytes) {
        if (closed || closeWhenDrained || hungUp) return;
        keep(bytes, bytes.length);
        flush();
    }

    /// Sends from native memory, without a copy while the client keeps up.
    public void send(NativeBuffer from, int offset, int length) {
        if (closed || closeWhenDrained || hungUp) return;
        int written = 0;
        if (!isBehind()) {
            try {
                written = Math.max(0, from.write(fd, offset, length));
            } catch (ErrnoException e) {
                hangUp();
                return;
            }
            if (written == length) return;
        }
        byte[] rest = new byte[length - written];
        from.get(offset + written, rest, 0, rest.length);
        keep(rest, rest.length);
        want();
    }

    /// Closes after the client has taken everything; meanwhile nothing is read from it.
    void finish() {
        closeWhenDrained = true;
        if (isBehind() && !closed) wait(false);
        else close();
    }

    public void close() {
        if (closed) return;
        closed = true;
        watch.forget();
        fd.close();
        forgetUnsent();
        receiver.closed();
    }

    private void ready(int events) {
        try {
            serve(events);
        } catch (RuntimeException | Error e) { // memory it takes up, too, is given back
            close();
            throw e;
        }
    }

    private void serve(int events) {
        if (isBehind() && (events & (Epoll.WRITABLE | Epoll.ERROR | Epoll.HANGUP)) != 0) flush();
        if (closed) return;
        if (reading && (events & (Epoll.READABLE | Epoll.HANGUP)) != 0) read();
        else if ((events & (Epoll.HANGUP | Epoll.ERROR)) != 0) hangUp();
    }

    /// Nobody takes output here any more. What was sent before is still read to its end, when its turn comes.
    private void hangUp() {
        if (hungUp) return;
        hungUp = true;
        boolean wasBehind = isBehind();
        forgetUnsent();
        if (closeWhenDrained) close();
        else if (reading) want();
        else watch.pause();
        if (wasBehind && !closed) receiver.drained();
    }

    private void read() {
        NativeBuffer buffer = buffers.inbound();
        try {
            int count = buffer.read(fd, 0, buffer.capacity());
            if (count == 0) close();
            else if (count > 0) receiver.received(buffer, 0, count);
        } catch (ErrnoException e) {
            close();
        }
    }

    private void flush() {
        NativeBuffer buffer = buffers.outbound();
        try {
            while (isBehind()) {
                int piece = Math.min(unsentTo - unsentFrom, buffer.capacity());
                buffer.put(0, unsent, unsentFrom, piece);
                int count = buffer.write(fd, 0, piece);
                if (count == NativeBuffer.WOULD_BLOCK) break;
                unsentFrom += count;
            }
        } catch (ErrnoException e) {
            hangUp();
            return;
        }
        if (!isBehind()) {
            forgetUnsent();
            if (closeWhenDrained) {
                close();
                return;
            }
            receiver.drained();
        }
        want();
    }

    private void keep(byte[] bytes, int length) {
        int kept = unsentTo - unsentFrom;
        if (kept + length > MAX_UNSENT_BYTES + Message.MAX_BYTES) {
            close();
            return;
        }
        if (unsentTo + length > unsent.length) {
            byte[] larger = new byte[kept + length];
            System.arraycopy(unsent, unsentFrom, larger, 0, kept);
            unsent = larger;
            unsentFrom = 0;
            unsentTo = kept;
        }
        System.arraycopy(bytes, 0, unsent, unsentTo, length);
        unsentTo += length;
    }

    private void forgetUnsent() {
        unsent = new byte[0];
        unsentFrom = 0;
        unsentTo = 0;
    }

    private void want() {
        if (closed || hungUp && !reading) return;
        watch.want((reading ? Epoll.READABLE : 0) | (isBehind() ? Epoll.WRITABLE : 0));
    }
}
