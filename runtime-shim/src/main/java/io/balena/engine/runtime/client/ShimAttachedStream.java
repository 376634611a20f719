package io.balena.engine.runtime.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/// Output as it comes from the shim; input cut into pieces, so that its end can be told from the client's.
public final class ShimAttachedStream implements AttachedStream {
    private static final int PIECE_BYTES = 64 << 10;

    private final SocketChannel channel;
    private boolean inputEnded;

    public ShimAttachedStream(SocketChannel channel) {
        this.channel = channel;
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        return channel.read(into);
    }

    @Override
    public synchronized int write(ByteBuffer from) throws IOException {
        if (inputEnded) throw new IOException("stdin has been closed");
        int total = from.remaining();
        int limit = from.limit();
        while (from.hasRemaining()) {
            int length = Math.min(from.remaining(), PIECE_BYTES);
            from.limit(from.position() + length);
            ByteBuffer[] piece = {ByteBuffer.allocate(4).putInt(0, length), from};
            while (from.hasRemaining()) channel.write(piece);
            from.limit(limit);
        }
        return total;
    }

    @Override
    public synchronized void closeStdin() throws IOException {
        if (inputEnded) return;
        inputEnded = true;
        for (var end = ByteBuffer.allocate(4); end.hasRemaining(); ) channel.write(end);
    }

    @Override
    public boolean isOpen() {
        return channel.isOpen();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
