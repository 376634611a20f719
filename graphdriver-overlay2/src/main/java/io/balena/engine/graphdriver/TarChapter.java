package io.balena.engine.graphdriver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/// Some pieces of a tar that follow each other, unpacked from what [TarChapterWriter] packed:
///
/// ```
/// unpacked length, then deflated:   length, as many bytes of headers and padding
///                                   -1, size, length, as many bytes of a file's name      …
/// ```
final class TarChapter {
    static final int FILE = -1;

    private final byte[] bytes;
    private int pieces;
    /// Where each piece begins in the tar, and the end of the last.
    private long[] starts = new long[64];
    /// Where the bytes of each piece, or its name, begin in `bytes`.
    private int[] offsets = new int[64];
    /// Of a file; [#FILE] for other pieces.
    private int[] nameLengths = new int[64];

    /// @param start where it begins in the tar
    TarChapter(byte[] packed, long start) throws IOException {
        bytes = unpack(packed);
        starts[0] = start;
        for (ByteBuffer at = ByteBuffer.wrap(bytes); at.hasRemaining(); ) {
            int length = at.getInt();
            if (length == FILE) add(at.getLong(), at.getInt(), at, true);
            else add(length, length, at, false);
        }
    }

    private void add(long size, int length, ByteBuffer at, boolean file) {
        if (pieces + 1 == starts.length) {
            starts = Arrays.copyOf(starts, 2 * pieces + 2);
            offsets = Arrays.copyOf(offsets, 2 * pieces + 2);
            nameLengths = Arrays.copyOf(nameLengths, 2 * pieces + 2);
        }
        offsets[pieces] = at.position();
        nameLengths[pieces] = file ? length : FILE;
        starts[pieces + 1] = starts[pieces] + size;
        pieces++;
        at.position(at.position() + length);
    }

    private static byte[] unpack(byte[] packed) throws IOException {
        byte[] bytes = new byte[ByteBuffer.wrap(packed).getInt()];
        try (Inflater inflater = new Inflater(true)) {
            inflater.setInput(packed, Integer.BYTES, packed.length - Integer.BYTES);
            inflater.inflate(bytes);
            return bytes;
        } catch (DataFormatException e) {
            throw new IOException(e);
        }
    }

    boolean has(long position) {
        return position >= starts[0] && position < starts[pieces];
    }

    /// The piece in which `position` lies.
    int pieceAt(long position) {
        int found = Arrays.binarySearch(starts, 0, pieces, position);
        return found >= 0 ? found : -found - 2;
    }

    long startOf(int piece) {
        return starts[piece];
    }

    long sizeOf(int piece) {
        return starts[piece + 1] - starts[piece];
    }

    boolean isFile(int piece) {
        return nameLengths[piece] != FILE;
    }

    byte[] nameOf(int piece) {
        return Arrays.copyOfRange(bytes, offsets[piece], offsets[piece] + nameLengths[piece]);
    }

    /// Copies bytes of a piece that is no file.
    void copy(int piece, long from, byte[] to, int offset, int length) {
        System.arraycopy(bytes, offsets[piece] + (int) from, to, offset, length);
    }
}
