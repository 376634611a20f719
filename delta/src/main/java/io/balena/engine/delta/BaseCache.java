package io.balena.engine.delta;

import java.io.IOException;
import java.util.Arrays;

/// Reads the base and compares with it, keeping what was read of it lately. For one thread.
final class BaseCache implements AutoCloseable {
    private static final int BLOCK_BITS = 12;
    private static final int BLOCK = 1 << BLOCK_BITS;
    /// What is longer is read as it is.
    private static final int MOST_FROM_BLOCKS = 1 << 10;

    private final Base.Reader reader;
    private final long size;
    private final byte[][] blocks;
    private final long[] numbers;

    /// @param blocks how many to keep, of 4 KiB
    BaseCache(Base base, int blocks) throws IOException {
        reader = base.open();
        size = base.size();
        this.blocks = new byte[blocks][];
        numbers = new long[blocks];
        Arrays.fill(numbers, -1);
    }

    long size() {
        return size;
    }

    /// Reads exactly `length` bytes that the base has.
    void read(long position, byte[] to, int offset, int length) throws IOException {
        if (length > MOST_FROM_BLOCKS || !readFromBlocks(position, to, offset, length)) reader.read(position, to, offset, length);
    }

    /// @return false when the block cannot be read: what is damaged in it may be what nobody asked for
    private boolean readFromBlocks(long position, byte[] to, int offset, int length) {
        try {
            while (length > 0) {
                int within = (int) position & BLOCK - 1;
                int count = Math.min(length, BLOCK - within);
                System.arraycopy(block(position >>> BLOCK_BITS), within, to, offset, count);
                position += count;
                offset += count;
                length -= count;
            }
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /// How many of `bytes[from..to)` are also in the base from `position` on.
    int equal(byte[] bytes, int from, int to, long position) throws IOException {
        int end = (int) Math.min(to, from + (size - position));
        int at = from;
        while (at < end) {
            byte[] block = block(position >>> BLOCK_BITS);
            int within = (int) position & BLOCK - 1;
            int length = Math.min(end - at, BLOCK - within);
            int differs = Arrays.mismatch(bytes, at, at + length, block, within, within + length);
            if (differs >= 0) return at + differs - from;
            at += length;
            position += length;
        }
        return end - from;
    }

    /// How many of the bytes before `bytes[from]`, back to `to`, are also in the base before `position`.
    int equalBefore(byte[] bytes, int from, int to, long position) throws IOException {
        int most = (int) Math.min(from - to, position);
        int count = 0;
        while (count < most) {
            long at = position - count - 1;
            if (block(at >>> BLOCK_BITS)[(int) at & BLOCK - 1] != bytes[from - count - 1]) break;
            count++;
        }
        return count;
    }

    /// Where in `bytes[from..to)`, laid beside the base from `position` on, the first `run` equal bytes begin; -1 when there are none.
    int firstRun(byte[] bytes, int from, int to, long position, int run) throws IOException {
        int end = (int) Math.min(to, from + (size - position));
        int equal = 0;
        byte[] block = null;
        for (int at = from; at < end; at++, position++) {
            int within = (int) position & BLOCK - 1;
            if (block == null || within == 0) block = block(position >>> BLOCK_BITS);
            equal = block[within] == bytes[at] ? equal + 1 : 0;
            if (equal == run) return at - run + 1;
        }
        return -1;
    }

    private byte[] block(long number) throws IOException {
        int slot = (int) (number % numbers.length);
        if (numbers[slot] == number) return blocks[slot];
        if (blocks[slot] == null) blocks[slot] = new byte[BLOCK];
        numbers[slot] = -1;
        long position = number << BLOCK_BITS;
        reader.read(position, blocks[slot], 0, (int) Math.min(BLOCK, size - position));
        numbers[slot] = number;
        return blocks[slot];
    }

    @Override
    public void close() throws IOException {
        reader.close();
    }
}
