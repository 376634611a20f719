package io.balena.engine.runtime.seccomp;

import java.util.Arrays;

/// A classic BPF program while it is written: `struct sock_filter { __u16 code; __u8 jt; __u8 jf; __u32 k; }` one after another.
///
/// Jumps are counted in instructions from the next one on, and only lead forwards.
///
/// @see <a href="https://docs.kernel.org/networking/filter.html">BPF instruction set</a>
final class BpfCode {
    /// A jump to the end of the block, put right by [#endBlock].
    static final int FAIL = -1;

    private static final int LONGEST_JUMP = 255;

    private static final int LD_W_ABS = 0x20;
    private static final int AND_K = 0x54;
    private static final int JA = 0x05;
    private static final int JEQ_K = 0x15;
    private static final int JGT_K = 0x25;
    private static final int JGE_K = 0x35;
    private static final int RET_K = 0x06;

    private static final int FIELDS = 4;

    private int[] fields = new int[64];
    private int length;

    /// In instructions.
    int length() {
        return length;
    }

    /// Loads 32 bits of `struct seccomp_data`.
    void load(int offset) {
        add(LD_W_ABS, offset, 0, 0);
    }

    void and(int mask) {
        add(AND_K, mask, 0, 0);
    }

    void ifEqual(int value, int ifTrue, int ifFalse) {
        add(JEQ_K, value, ifTrue, ifFalse);
    }

    /// Unsigned, as [#ifAtLeast].
    void ifGreater(int value, int ifTrue, int ifFalse) {
        add(JGT_K, value, ifTrue, ifFalse);
    }

    void ifAtLeast(int value, int ifTrue, int ifFalse) {
        add(JGE_K, value, ifTrue, ifFalse);
    }

    void jump(int instructions) {
        add(JA, instructions, 0, 0);
    }

    void result(int value) {
        add(RET_K, value, 0, 0);
    }

    /// `below` for what is loaded and less than `value`, else `other`; neither may end otherwise than with a result.
    void choose(int value, BpfCode below, BpfCode other) {
        if (below.length <= LONGEST_JUMP) {
            ifAtLeast(value, below.length, 0);
        } else {
            ifAtLeast(value, 0, 1);
            jump(below.length);
        }
        append(below);
        append(other);
    }

    void append(BpfCode other) {
        reserve(other.length);
        System.arraycopy(other.fields, 0, fields, length * FIELDS, other.length * FIELDS);
        length += other.length;
    }

    /// Makes jumps to [#FAIL] since the instruction `from` lead here. Six conditions are at most 36 instructions, so that none is too long.
    void endBlock(int from) {
        for (int i = from; i < length; i++) {
            int toEnd = length - i - 1;
            if (fields[i * FIELDS + 1] == FAIL) fields[i * FIELDS + 1] = toEnd;
            if (fields[i * FIELDS + 2] == FAIL) fields[i * FIELDS + 2] = toEnd;
        }
    }

    private void add(int code, int k, int ifTrue, int ifFalse) {
        reserve(1);
        int at = length++ * FIELDS;
        fields[at] = code;
        fields[at + 1] = ifTrue;
        fields[at + 2] = ifFalse;
        fields[at + 3] = k;
    }

    private void reserve(int instructions) {
        int needed = (length + instructions) * FIELDS;
        if (needed > fields.length) fields = Arrays.copyOf(fields, Math.max(needed, fields.length * 2));
    }

    /// As the kernel takes it, on a machine with the lowest byte first.
    byte[] bytes() {
        byte[] bytes = new byte[length * 8];
        for (int i = 0; i < length; i++) {
            int at = i * FIELDS;
            bytes[i * 8] = (byte) fields[at];
            bytes[i * 8 + 2] = (byte) fields[at + 1];
            bytes[i * 8 + 3] = (byte) fields[at + 2];
            for (int b = 0; b < 4; b++) bytes[i * 8 + 4 + b] = (byte) (fields[at + 3] >> 8 * b);
        }
        return bytes;
    }
}
