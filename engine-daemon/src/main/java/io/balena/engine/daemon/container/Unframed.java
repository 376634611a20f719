package io.balena.engine.daemon.container;

import java.io.IOException;
import java.io.OutputStream;

/// Takes the heads of Docker's multiplexed form away, `[stream, 0, 0, 0, length (4, big endian)]`: what is left is both outputs in one.
final class Unframed extends OutputStream {
    private static final int HEAD_BYTES = 8;

    private final OutputStream out;
    private int head;
    private int left;

    Unframed(OutputStream out) {
        this.out = out;
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        int end = offset + length;
        for (int at = offset; at < end; ) {
            if (head < HEAD_BYTES) {
                left = left << 8 | bytes[at++] & 0xff; // of the eight, the last four stay
                head++;
            } else {
                int part = Math.min(left, end - at);
                out.write(bytes, at, part);
                at += part;
                left -= part;
            }
            if (head == HEAD_BYTES && left == 0) head = 0;
        }
    }

    @Override
    public void flush() throws IOException {
        out.flush();
    }
}
