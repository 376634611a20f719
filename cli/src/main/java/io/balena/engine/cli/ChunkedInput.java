package io.balena.engine.cli;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/// A body in HTTP/1.1's chunks. The end of the connection before the last chunk is an error, not an end.
final class ChunkedInput extends InputStream {
    private final HttpConnection.Input source;
    private long leftInChunk;
    private boolean first = true;
    private boolean ended;

    ChunkedInput(HttpConnection.Input source) {
        this.source = source;
    }

    @Override public int read() throws IOException {
        var one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override public int read(byte[] bytes, int offset, int length) throws IOException {
        if (length == 0) return 0;
        if (leftInChunk == 0 && !nextChunk()) return -1;
        int n = source.read(bytes, offset, (int) Math.min(length, leftInChunk));
        if (n < 0) throw new EOFException("unexpected EOF");
        leftInChunk -= n;
        return n;
    }

    private boolean nextChunk() throws IOException {
        if (ended) return false;
        if (!first) source.line();
        first = false;
        var size = source.line();
        int extension = size.indexOf(';');
        try {
            leftInChunk = Long.parseLong((extension < 0 ? size : size.substring(0, extension)).strip(), 16);
        } catch (NumberFormatException _) {
            throw new IOException("not the size of a chunk: " + size);
        }
        if (leftInChunk > 0) return true;
        ended = true;
        while (!source.line().isEmpty()) { /* trailers mean nothing here */ }
        return false;
    }
}
