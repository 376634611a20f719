package io.balena.engine.delta;

import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;

/// The new bytes, from a delta in the format of [Librsync] and its base.
///
/// Every number is checked before it is used. What follows the delta's end is not read.
final class LibrsyncPatch extends InputStream {
    private static final int BUFFER = 16 * 1024;
    private static final int CACHED_BLOCKS = 32;

    private final InputStream delta;
    private final byte[] buffer = new byte[BUFFER];
    private int bufferAt;
    private int bufferEnd;
    /// Of many short copies, each is often near the last.
    private final BaseCache base;

    private boolean begun;
    private boolean ended;
    private long copyAt;
    private long copyLeft;
    private long literalLeft;

    LibrsyncPatch(InputStream delta, Base base) throws IOException {
        this.delta = delta;
        this.base = new BaseCache(base, CACHED_BLOCKS);
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, to.length);
        if (length == 0) return 0;
        begin();
        int count = 0;
        // Filled as far as possible: a delta may have a command for every few bytes.
        while (count < length && nextCommandIfDone()) {
            count += copyLeft > 0 ? copy(to, offset + count, length - count) : literal(to, offset + count, length - count);
        }
        return count == 0 ? -1 : count;
    }

    private void begin() throws IOException {
        if (begun) return;
        int magic = (int) number(4);
        if (magic != Librsync.MAGIC) {
            throw new InvalidDeltaException(
                    "Got magic number " + Integer.toHexString(magic) + " rather than expected value " + Integer.toHexString(Librsync.MAGIC));
        }
        begun = true;
    }

    /// @return false at the end of the delta
    private boolean nextCommandIfDone() throws IOException {
        while (!ended && copyLeft == 0 && literalLeft == 0) nextCommand();
        return !ended;
    }

    private void nextCommand() throws IOException {
        int command = byteOfDelta();
        if (command == Librsync.END) {
            ended = true;
        } else if (command <= Librsync.LONGEST_IMMEDIATE) {
            literalLeft = command;
        } else if (command < Librsync.COPY) {
            literalLeft = length(command - Librsync.LITERAL);
        } else if (command <= Librsync.LAST_COPY) {
            int widths = command - Librsync.COPY;
            copyAt = length(widths >> 2);
            copyLeft = length(widths & 3);
            if (copyAt > base.size() || copyLeft > base.size() - copyAt) {
                throw new InvalidDeltaException("copy of " + copyLeft + " bytes at " + copyAt + " reaches beyond the base of " + base.size() + " bytes");
            }
        } else {
            throw new InvalidDeltaException("Bogus command " + Integer.toHexString(command));
        }
    }

    /// @param width 0 to 3 for 1, 2, 4 or 8 bytes
    private long length(int width) throws IOException {
        long value = number(1 << width);
        if (value < 0) throw new InvalidDeltaException("length or position of " + Long.toUnsignedString(value));
        return value;
    }

    private long number(int bytes) throws IOException {
        long value = 0;
        for (int i = 0; i < bytes; i++) value = value << 8 | byteOfDelta();
        return value;
    }

    private int byteOfDelta() throws IOException {
        if (bufferAt == bufferEnd) fill();
        return buffer[bufferAt++] & 0xff;
    }

    private void fill() throws IOException {
        int count = delta.read(buffer);
        if (count <= 0) throw new InvalidDeltaException("unexpected EOF");
        bufferAt = 0;
        bufferEnd = count;
    }

    private int copy(byte[] to, int offset, int length) throws IOException {
        int count = (int) Math.min(length, copyLeft);
        base.read(copyAt, to, offset, count);
        copyAt += count;
        copyLeft -= count;
        return count;
    }

    private int literal(byte[] to, int offset, int length) throws IOException {
        if (bufferAt == bufferEnd) fill();
        int count = (int) Math.min(Math.min(length, bufferEnd - bufferAt), literalLeft);
        System.arraycopy(buffer, bufferAt, to, offset, count);
        bufferAt += count;
        literalLeft -= count;
        return count;
    }

    @Override
    public void close() throws IOException {
        try (delta) {
            base.close();
        }
    }
}
