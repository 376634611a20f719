package io.balena.engine.delta;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// Where in the base short blocks of bytes are to be found: a hash table with one 32-bit slot for about each block, outside the heap.
///
/// ```
/// slot:  check bits of the block's hash | number of the block + 1
/// ```
/// Of two blocks of one slot the later one stays, as it comes from a higher layer, which is more like what replaces it. What is lost costs
/// little: a copy found by any of its blocks is extended to both sides.
///
/// Blocks of 16 bytes make a table of a quarter of the base's size; blocks are longer where a block's number would leave no check bits.
final class BlockIndex implements AutoCloseable {
    static final int SHORTEST_BLOCK = 16;
    private static final int LEAST_CHECK_BITS = 4;
    /// What small bases may take in addition, in bytes: fewer blocks are lost in a table with free slots.
    private static final long EXTRA = 48 << 20;

    private static final VarHandle WORD = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SLOT = ValueLayout.JAVA_INT.varHandle();
    private static final long ODD = 0x9E3779B97F4A7C15L; // 2^64 divided by the golden ratio

    private final Arena arena = Arena.ofShared();
    private final MemorySegment table;
    private final long slots;
    private final int block;
    private final int numberMask;
    private ZeroRun zeros = new ZeroRun(0, 0);

    /// A run of zero bytes in the base.
    record ZeroRun(long position, int length) {}

    BlockIndex(long baseSize) {
        int length = SHORTEST_BLOCK;
        while (baseSize / length >= 1L << Integer.SIZE - LEAST_CHECK_BITS) length *= 2;
        block = length;
        long blocks = baseSize / length;
        numberMask = (int) (Long.highestOneBit(Math.max(1, blocks)) * 2 - 1);
        slots = Math.max(1, Math.min(2 * blocks, (baseSize / 4 + EXTRA) / Integer.BYTES));
        table = arena.allocate(slots * Integer.BYTES, Integer.BYTES);
    }

    /// Bytes in a block.
    int block() {
        return block;
    }

    /// Works out where the blocks of a segment, which begins with one, belong. Safe for use by many threads.
    void place(Segment segment) {
        long[] places = segment.places();
        int count = 0;
        int number = (int) (segment.position / block);
        int zerosFrom = -1;
        for (int at = 0; at + block <= segment.length; at += block) {
            number++;
            if (!isUniform(segment.bytes, at)) {
                long hash = hash(segment.bytes, at);
                places[count++] = slot(hash) << Integer.SIZE | Integer.toUnsignedLong(check(hash) | number);
            }
            if (isZero(segment.bytes, at)) {
                if (zerosFrom < 0) zerosFrom = at;
                continue;
            }
            if (zerosFrom >= 0) noteZeros(segment.position + zerosFrom, at - zerosFrom);
            zerosFrom = -1;
        }
        if (zerosFrom >= 0) noteZeros(segment.position + zerosFrom, (segment.length - zerosFrom) / block * block);
        segment.placed(count);
    }

    /// Takes up the blocks of a segment that were placed: of one thread, and in order. Apart from placing them, as this does nothing but wait
    /// for memory, and writes that do not depend on each other wait together.
    void store(Segment segment) {
        long[] places = segment.places();
        for (int i = 0; i < segment.placed(); i++) SLOT.set(table, (places[i] >>> Integer.SIZE) * Integer.BYTES, (int) places[i]);
    }

    /// Of runs of one length the first, so that the result does not depend on the order of threads.
    private synchronized void noteZeros(long position, int length) {
        boolean better = length > zeros.length() || length == zeros.length() && position < zeros.position();
        if (better) zeros = new ZeroRun(position, length);
    }

    /// The longest run of zeros that was seen in one segment.
    synchronized ZeroRun zeros() {
        return zeros;
    }

    /// @return position in the base of what is probably the block with this hash; -1 when there is none
    long find(long hash) {
        int entry = (int) SLOT.get(table, slot(hash) * Integer.BYTES);
        if ((entry & numberMask) == 0 || (entry & ~numberMask) != check(hash)) return -1;
        return ((entry & numberMask) - 1L) * block;
    }

    /// Hash of the block at `at`.
    long hash(byte[] bytes, int at) {
        long hash = 0;
        for (int i = 0; i < block; i += Long.BYTES) {
            hash = (hash ^ word(bytes, at + i)) * ODD;
            hash ^= hash >>> 32;
        }
        return hash * ODD;
    }

    private long slot(long hash) {
        return Math.unsignedMultiplyHigh(hash, slots);
    }

    /// Bits that say nothing of the slot, which comes from the highest ones.
    private int check(long hash) {
        return (int) hash & ~numberMask;
    }

    /// Blocks of one repeated byte are everywhere: copying one would begin at a place that has nothing else in common.
    private boolean isUniform(byte[] bytes, int at) {
        long first = word(bytes, at);
        if (first != Long.rotateLeft(first, Byte.SIZE)) return false;
        for (int i = Long.BYTES; i < block; i += Long.BYTES) if (word(bytes, at + i) != first) return false;
        return true;
    }

    private boolean isZero(byte[] bytes, int at) {
        return bytes[at] == 0 && isUniform(bytes, at);
    }

    static long word(byte[] bytes, int at) {
        return (long) WORD.get(bytes, at);
    }

    @Override
    public void close() {
        arena.close();
    }
}
