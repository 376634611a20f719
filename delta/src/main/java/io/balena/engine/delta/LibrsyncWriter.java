package io.balena.engine.delta;

import java.io.IOException;
import java.io.OutputStream;

/// Writes the commands of [Librsync], each in as few bytes as it can have; copies that continue each other become one.
final class LibrsyncWriter {
    private static final int NUMBER = Long.BYTES;

    private final OutputStream out;
    private final byte[] command = new byte[1 + 2 * NUMBER];
    private long copyAt;
    private long copyLength;

    LibrsyncWriter(OutputStream out) throws IOException {
        this.out = out;
        put(0, Librsync.MAGIC, Integer.BYTES);
        out.write(command, 0, Integer.BYTES);
    }

    void literal(byte[] bytes, int offset, int length) throws IOException {
        if (length == 0) return;
        flushCopy();
        if (length <= Librsync.LONGEST_IMMEDIATE) {
            out.write(length);
        } else {
            int width = width(length);
            command[0] = (byte) (Librsync.LITERAL + width);
            out.write(command, 0, put(1, length, 1 << width));
        }
        out.write(bytes, offset, length);
    }

    void copy(long position, long length) throws IOException {
        if (length == 0) return;
        if (copyAt + copyLength == position && copyLength > 0) {
            copyLength += length;
            return;
        }
        flushCopy();
        copyAt = position;
        copyLength = length;
    }

    void end() throws IOException {
        flushCopy();
        out.write(Librsync.END);
    }

    private void flushCopy() throws IOException {
        if (copyLength == 0) return;
        int position = width(copyAt);
        int length = width(copyLength);
        command[0] = (byte) (Librsync.COPY + 4 * position + length);
        out.write(command, 0, put(put(1, copyAt, 1 << position), copyLength, 1 << length));
        copyLength = 0;
    }

    /// 0 to 3 for 1, 2, 4 or 8 bytes.
    private static int width(long value) {
        if (value < 1 << 8) return 0;
        if (value < 1 << 16) return 1;
        return value < 1L << 32 ? 2 : 3;
    }

    /// @return where the number ends
    private int put(int at, long value, int bytes) {
        for (int i = 0; i < bytes; i++) command[at + i] = (byte) (value >>> 8 * (bytes - 1 - i));
        return at + bytes;
    }
}
