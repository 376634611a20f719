package io.balena.engine.dns;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/// Messages in a stream, each with its length before it.
///
/// @see <a href="https://www.rfc-editor.org/rfc/rfc1035#section-4.2.2">RFC 1035, section 4.2.2</a>
final class MessageAssembly {
    static final int MOST_BYTES = 65_535;
    private static final int LENGTH_BYTES = 2;

    private final int most;
    private final ByteBuffer length = ByteBuffer.allocate(LENGTH_BYTES);
    private byte[] message;
    private int received;
    private boolean ended;

    /// @param most bytes of a message
    MessageAssembly(int most) {
        this.most = most;
    }

    static ByteBuffer framed(byte[] message) {
        return ByteBuffer.allocate(LENGTH_BYTES + message.length).putShort((short) message.length).put(message).flip();
    }

    /// Reads what is there, no further than to the end of a message.
    ///
    /// @param buffer empty
    /// @return null when there is none yet
    /// @throws IOException for one that is too long, or has no bytes
    byte[] read(SocketChannel from, ByteBuffer buffer) throws IOException {
        if (message == null) {
            ended = from.read(length) < 0;
            if (length.hasRemaining()) return null;
            int bytes = length.flip().getShort() & 0xffff;
            length.clear();
            if (bytes == 0 || bytes > most) throw new IOException("a message of " + bytes + " bytes");
            message = new byte[bytes];
            received = 0;
        }
        buffer.limit(Math.min(buffer.capacity(), message.length - received));
        int count = from.read(buffer);
        ended = count < 0;
        if (count <= 0) return null;
        buffer.flip().get(message, received, count);
        received += count;
        if (received < message.length) return null;
        byte[] whole = message;
        message = null;
        return whole;
    }

    boolean hasEnded() {
        return ended;
    }
}
