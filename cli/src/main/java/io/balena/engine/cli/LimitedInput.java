package io.balena.engine.cli;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/// A body of a length known beforehand.
final class LimitedInput extends InputStream {
    private final InputStream source;
    private long left;

    LimitedInput(InputStream source, long length) {
        this.source = source;
        this.left = length;
    }

    @Override public int read() throws IOException {
        var one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override public int read(byte[] bytes, int offset, int length) throws IOException {
        if (length == 0) return 0;
        if (left == 0) return -1;
        int n = source.read(bytes, offset, (int) Math.min(length, left));
        if (n < 0) throw new EOFException("unexpected EOF");
        left -= n;
        return n;
    }
}
