package io.balena.engine.dns;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;

/// A connection from within a container: its questions are answered one after the other.
final class StreamClient implements Forward.Asker {
    /// Longer than any question.
    private static final int MOST_BYTES = 4096;
    private static final long IDLE_MILLIS = 10_000;

    private final SocketChannel socket;
    private final Outlet outlet;
    private final SocketLoop loop;
    private final MessageAssembly receiving = new MessageAssembly(MOST_BYTES);
    private final SelectionKey key;
    private SocketLoop.Moment idle;
    private ByteBuffer sending;
    private Forward forward;

    StreamClient(SocketChannel socket, Outlet outlet, SocketLoop loop) throws IOException {
        this.socket = socket;
        this.outlet = outlet;
        this.loop = loop;
        socket.configureBlocking(false);
        key = loop.watch(socket, SelectionKey.OP_READ, this::goOn);
        awaitMore();
    }

    private void awaitMore() {
        if (idle != null) idle.callOff();
        idle = loop.after(IDLE_MILLIS, this::close);
    }

    private void goOn() {
        try {
            if (sending != null) {
                send();
                return;
            }
            byte[] message = receiving.read(socket, loop.buffer());
            if (message != null) {
                // The next one waits in the socket.
                key.interestOps(0);
                idle.callOff();
                forward = outlet.answer(message, MessageAssembly.MOST_BYTES, this).orElse(null);
                if (forward != null) outlet.begin(forward);
            } else if (receiving.hasEnded()) {
                close();
            }
        } catch (IOException e) {
            close();
        }
    }

    @Override
    public void answer(byte[] answer) {
        if (forward != null) outlet.ended(forward);
        forward = null;
        if (!socket.isOpen()) return;
        sending = MessageAssembly.framed(answer);
        awaitMore();
        try {
            send();
        } catch (IOException e) {
            close();
        }
    }

    private void send() throws IOException {
        socket.write(sending);
        if (sending.hasRemaining()) {
            key.interestOps(SelectionKey.OP_WRITE);
            return;
        }
        sending = null;
        key.interestOps(SelectionKey.OP_READ);
    }

    void close() {
        if (idle != null) idle.callOff();
        if (forward != null) {
            forward.stop();
            outlet.ended(forward);
        }
        forward = null;
        outlet.left(this);
        Outlet.close(socket);
    }
}
