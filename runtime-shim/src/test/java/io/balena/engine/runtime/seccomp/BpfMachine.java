package io.balena.engine.runtime.seccomp;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Executes a filter as the kernel does.
record BpfMachine(ByteBuffer code) {
    BpfMachine(byte[] code) {
        this(ByteBuffer.wrap(code).order(ByteOrder.LITTLE_ENDIAN));
    }

    /// @param steps instructions it took
    record Answer(int action, int steps) {}

    int instructions() {
        return code.limit() / 8;
    }

    Answer run(int number, int audit, long... arguments) {
        var data = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        data.putInt(0, number).putInt(4, audit);
        for (int i = 0; i < arguments.length; i++) data.putLong(16 + 8 * i, arguments[i]);
        int accumulator = 0;
        int steps = 0;
        for (int at = 0; ; at++) {
            steps++;
            int ifTrue = code.get(at * 8 + 2) & 0xff;
            int ifFalse = code.get(at * 8 + 3) & 0xff;
            int k = code.getInt(at * 8 + 4);
            switch (code.getShort(at * 8) & 0xffff) {
                case 0x20 -> accumulator = data.getInt(k);
                case 0x54 -> accumulator &= k;
                case 0x05 -> at += k;
                case 0x15 -> at += accumulator == k ? ifTrue : ifFalse;
                case 0x25 -> at += Integer.compareUnsigned(accumulator, k) > 0 ? ifTrue : ifFalse;
                case 0x35 -> at += Integer.compareUnsigned(accumulator, k) >= 0 ? ifTrue : ifFalse;
                case 0x45 -> at += (accumulator & k) != 0 ? ifTrue : ifFalse;
                case 0x06 -> {
                    return new Answer(k, steps);
                }
                default -> throw new AssertionError("operation " + code.getShort(at * 8));
            }
        }
    }
}
