package io.balena.engine.graphdriver;

import java.io.IOException;
import java.io.InputStream;

/// A tar produced as it is read: pieces from memory, and between them contents of files.
abstract class TarSource extends InputStream {
    private byte[] piece = new byte[0];
    private int pieceAt;
    private boolean closed;

    /// Called when all pieces have been read: reads from a file, or begins what comes next.
    ///
    /// @return bytes put into `to`, 0 after something else was begun, -1 at the end
    abstract int produce(byte[] to, int offset, int length) throws IOException;

    /// Closes what is open, once.
    abstract void release() throws IOException;

    /// Has `bytes` read next.
    final void give(byte[] bytes) {
        piece = bytes;
        pieceAt = 0;
    }

    @Override
    public final int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public final int read(byte[] to, int offset, int length) throws IOException {
        if (closed) throw new IOException("stream closed");
        if (length == 0) return 0;
        while (true) {
            if (pieceAt < piece.length) {
                int count = Math.min(length, piece.length - pieceAt);
                System.arraycopy(piece, pieceAt, to, offset, count);
                pieceAt += count;
                return count;
            }
            int count = produce(to, offset, length);
            if (count != 0) return count;
        }
    }

    @Override
    public final void close() throws IOException {
        if (closed) return;
        closed = true;
        release();
    }
}
