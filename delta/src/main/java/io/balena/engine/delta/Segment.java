package io.balena.engine.delta;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/// A piece of a stream on its way through [Segments], and what was found out about it. Used again and again.
final class Segment {
    static final int SIZE = 1 << 20; // a multiple of every block length, so that no block is cut

    final byte[] bytes = new byte[SIZE];
    /// Where it lies in its stream.
    long position;
    int length;

    private long[] places;
    private int placed;
    private int copies;
    private int[] start = new int[64];
    private int[] size = new int[64];
    private long[] from = new long[64];

    /// @return false when the stream has ended
    boolean fill(InputStream in, long at) throws IOException {
        position = at;
        length = in.readNBytes(bytes, 0, SIZE);
        copies = 0;
        return length > 0;
    }

    /// Room for where each of its blocks belongs in the index.
    long[] places() {
        if (places == null) places = new long[SIZE / BlockIndex.SHORTEST_BLOCK];
        return places;
    }

    void placed(int count) {
        placed = count;
    }

    int placed() {
        return placed;
    }

    /// Notes that `count` bytes from `at` on are those of the base at `position`. In order, without overlaps.
    void copy(int at, long position, int count) {
        if (copies == start.length) {
            start = Arrays.copyOf(start, 2 * copies);
            size = Arrays.copyOf(size, 2 * copies);
            from = Arrays.copyOf(from, 2 * copies);
        }
        start[copies] = at;
        size[copies] = count;
        from[copies++] = position;
    }

    void write(LibrsyncWriter writer) throws IOException {
        int at = 0;
        for (int i = 0; i < copies; i++) {
            writer.literal(bytes, at, start[i] - at);
            writer.copy(from[i], size[i]);
            at = start[i] + size[i];
        }
        writer.literal(bytes, at, length - at);
    }
}
