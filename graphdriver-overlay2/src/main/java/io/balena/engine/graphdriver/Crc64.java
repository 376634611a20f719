package io.balena.engine.graphdriver;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// CRC-64 with the ISO 3309 polynomial, as tar-split keeps it for each file.
///
/// The polynomial is x^64 + x^4 + x^3 + x + 1, so that multiplying by a power of x^64 takes a few shifts and no table: x^64
/// is congruent to x^4 + x^3 + x + 1, and raised to the fourth power to x^16 + x^12 + x^4 + 1. Bits are reflected: the most
/// significant one stands for x^0, and a shift to the right multiplies by x. Four words are folded side by side, because the
/// steps of one would wait for each other.
final class Crc64 {
    private static final VarHandle WORD = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private long state = -1;

    void reset() {
        state = -1;
    }

    long value() {
        return ~state;
    }

    void update(byte[] bytes, int from, int to) {
        long crc = state;
        if (to - from >= 32) {
            long a = crc ^ word(bytes, from);
            long b = word(bytes, from + 8);
            long c = word(bytes, from + 16);
            long d = word(bytes, from + 24);
            for (from += 32; to - from >= 32; from += 32) {
                a = timesX256(a) ^ word(bytes, from);
                b = timesX256(b) ^ word(bytes, from + 8);
                c = timesX256(c) ^ word(bytes, from + 16);
                d = timesX256(d) ^ word(bytes, from + 24);
            }
            crc = timesX64(timesX64(timesX64(timesX64(a) ^ b) ^ c) ^ d);
        }
        for (; to - from >= 8; from += 8) crc = timesX64(crc ^ word(bytes, from));
        for (; from < to; from++) {
            // A byte is the word whose other 56 bits have passed already.
            crc = crc >>> 8 ^ timesX64((crc ^ bytes[from]) << 56);
        }
        state = crc;
    }

    private static long word(byte[] bytes, int at) {
        return (long) WORD.get(bytes, at);
    }

    private static long timesX64(long v) {
        return v ^ v >>> 1 ^ v >>> 3 ^ v >>> 4 ^ overflow(v << 63 ^ v << 61 ^ v << 60);
    }

    private static long timesX256(long v) {
        return v ^ v >>> 4 ^ v >>> 12 ^ v >>> 16 ^ overflow(v << 60 ^ v << 52 ^ v << 48);
    }

    /// What was shifted out stands for x^64 and above, and is reduced in its turn.
    private static long overflow(long v) {
        return v ^ v >>> 1 ^ v >>> 3 ^ v >>> 4;
    }
}
