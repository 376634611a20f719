package io.balena.engine.graphdriver;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Where the parts of a sparse file's content belong, as it is being read and then followed.
final class SparseMap {
    /// A part costs some 50 bytes of memory.
    private static final int MAX_PARTS = 64 * 1024;

    private record Part(long offset, long length) {}

    private final List<Part> parts = new ArrayList<>();
    private int current;
    private long done;

    void add(long offset, long length) throws InvalidLayerException {
        if (parts.size() == MAX_PARTS) throw TarParser.invalid("sparse map too long");
        parts.add(new Part(offset, length));
    }

    void addAll(long[] pairs) throws InvalidLayerException {
        if (pairs.length % 2 != 0) throw TarParser.invalid("sparse map");
        for (int i = 0; i < pairs.length; i += 2) add(pairs[i], pairs[i + 1]);
    }

    /// Parts in a header of the old GNU format, as many as are there.
    void addAll(HeaderRecord record, int field, int most) throws InvalidLayerException {
        for (int i = 0; i < most; i++, field += 24) {
            if (!record.flag(field)) return;
            add(record.number(field, 12, "sparse map"), record.number(field + 12, 12, "sparse map"));
        }
    }

    /// Checks that the parts lie in a file of `size` bytes one after the other, and are `stored` bytes together.
    void verify(long size, long stored) throws InvalidLayerException {
        long covered = 0;
        long end = 0;
        for (Part part : parts) {
            if (part.offset() < end || part.length() < 0 || part.offset() > size - part.length()) throw TarParser.invalid("sparse map");
            end = part.offset() + part.length();
            covered += part.length();
        }
        if (covered != stored) throw TarParser.invalid("sparse map does not cover the content");
    }

    /// Hands on the next bytes of the content, each piece with its place in the file.
    void place(byte[] bytes, int from, int to, TarParser.Visitor visitor) throws IOException {
        while (from < to) {
            Part part = parts.get(current);
            int piece = (int) Math.min(to - from, part.length() - done);
            if (piece > 0) visitor.content(bytes, from, from + piece, part.offset() + done);
            from += piece;
            done += piece;
            if (done == part.length()) {
                current++;
                done = 0;
            }
        }
    }

    /// A reader of the map in format 1.0: decimal numbers, a line each, the first being how many pairs follow.
    Lines lines() {
        return new Lines();
    }

    final class Lines {
        private static final long LARGEST = Long.MAX_VALUE / 10 - 1;

        private long missing = -1;
        private long number;
        private int digits;
        private long offset = -1;

        /// @return true when these bytes hold the map's end; what they hold behind it is padding
        boolean accept(byte[] bytes, int from, int to) throws InvalidLayerException {
            for (int i = from; i < to && missing != 0; i++) {
                if (bytes[i] == '\n' && digits > 0) {
                    complete(number);
                    number = 0;
                    digits = 0;
                } else {
                    int digit = bytes[i] - '0';
                    if (digit < 0 || digit > 9 || number > LARGEST || ++digits > 20) throw TarParser.invalid("sparse map");
                    number = 10 * number + digit;
                }
            }
            return missing == 0;
        }

        private void complete(long value) throws InvalidLayerException {
            if (missing < 0) {
                if (value > MAX_PARTS) throw TarParser.invalid("sparse map too long");
                missing = value;
            } else if (offset < 0) {
                offset = value;
            } else {
                add(offset, value);
                offset = -1;
                missing--;
            }
        }
    }
}
