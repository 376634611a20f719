package io.balena.engine.daemon.container.health;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;

/// What a probe says, as much of it as Docker keeps. The rest is read, so that it is not held up, and dropped.
///
/// It arrives in pieces, each after `[stream, 0, 0, 0, length (4)]`.
public final class ProbeOutput {
    static final int MOST_BYTES = 4096;

    private final ByteArrayOutputStream kept = new ByteArrayOutputStream();
    private final ByteBuffer header = ByteBuffer.allocate(8);
    private int leftOfPiece;
    private boolean truncated;

    public void readAll(ReadableByteChannel from) throws IOException {
        var buffer = ByteBuffer.allocate(MOST_BYTES);
        while (from.read(buffer) >= 0) {
            buffer.flip();
            while (buffer.hasRemaining()) take(buffer);
            buffer.clear();
        }
    }

    private void take(ByteBuffer buffer) {
        if (leftOfPiece == 0) {
            while (header.hasRemaining() && buffer.hasRemaining()) header.put(buffer.get());
            if (header.hasRemaining()) return;
            leftOfPiece = header.getInt(4);
            header.clear();
        }
        int count = Math.min(leftOfPiece, buffer.remaining());
        int fits = Math.min(count, MOST_BYTES - kept.size());
        kept.write(buffer.array(), buffer.position(), fits);
        if (fits < count) truncated = true;
        buffer.position(buffer.position() + count);
        leftOfPiece -= count;
    }

    /// As Docker shows it: bytes that are no UTF-8 are replaced, and what is missing is hinted at.
    public String text() {
        return kept.toString(UTF_8) + (truncated ? "..." : "");
    }
}
