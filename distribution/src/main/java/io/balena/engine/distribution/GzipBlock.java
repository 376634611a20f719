package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/// A piece of what is packed, deflated without waiting for the pieces before it: it only needs to see the end of the last one, which
/// matches may reach back into. Used again and again.
///
/// ```
/// bytes     [ end of the block before, 32 KiB | content, 64 KiB ]
/// deflated  [ deflate blocks, an empty stored one to end on a byte, or the mark of the end ]
/// ```
final class GzipBlock {
    /// More makes the result no smaller, and takes more memory; less costs time.
    static final int SIZE = 64 * 1024;
    /// As far as a match may reach back.
    private static final int WINDOW = 32 * 1024;
    /// What deflate adds to what it cannot make smaller is a few bytes for each 16 KiB.
    private static final int MOST_ADDED = 1024;

    private final byte[] bytes = new byte[WINDOW + SIZE];
    private final byte[] deflated = new byte[SIZE + MOST_ADDED];
    private int seen;
    private int size;
    private boolean last;
    private int deflatedSize;

    /// Takes what comes next from `in`.
    ///
    /// @param before may be this one; `null` at the start
    void fill(GzipBlock before, InputStream in) throws IOException {
        seen = before == null ? 0 : WINDOW;
        // Only the last one is shorter than a window.
        if (before != null) System.arraycopy(before.bytes, before.bytes.length - WINDOW, bytes, 0, WINDOW);
        size = in.readNBytes(bytes, WINDOW, SIZE);
        last = size < SIZE;
    }

    int size() {
        return size;
    }

    boolean isLast() {
        return last;
    }

    void check(CRC32 checksum) {
        checksum.update(bytes, WINDOW, size);
    }

    /// @param deflater without a header, as any block may have left it
    void deflate(Deflater deflater) {
        deflater.reset();
        deflater.setDictionary(bytes, WINDOW - seen, seen);
        deflater.setInput(bytes, WINDOW, size);
        if (last) deflater.finish();
        deflatedSize = deflater.deflate(deflated, 0, deflated.length, last ? Deflater.NO_FLUSH : Deflater.SYNC_FLUSH);
        if (deflatedSize == deflated.length) throw new IllegalStateException("deflate added more than " + MOST_ADDED + " bytes");
    }

    void writeTo(OutputStream out) throws IOException {
        out.write(deflated, 0, deflatedSize);
    }
}
