package io.balena.engine.delta;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.random.RandomGenerator;

/// Makes and applies deltas between arrays.
final class Deltas {
    private Deltas() {}

    static byte[] make(byte[] base, byte[] target) throws IOException {
        try (DeltaMaker maker = DeltaFormat.LIBRSYNC.maker(new BytesBase(base), _ -> {})) {
            var delta = new ByteArrayOutputStream();
            maker.make(new ByteArrayInputStream(target), delta, _ -> {});
            return delta.toByteArray();
        }
    }

    static byte[] apply(byte[] delta, byte[] base) throws IOException {
        try (InputStream patched = DeltaFormat.LIBRSYNC.patch(new ByteArrayInputStream(delta), new BytesBase(base))) {
            return patched.readAllBytes();
        }
    }

    /// Bytes as they are in files: words, numbers that count, noise, zeros and repetitions.
    static byte[] content(RandomGenerator random, int size) {
        byte[] bytes = new byte[size];
        for (int at = 0; at < size; ) {
            int run = Math.min(size - at, 1 + random.nextInt(1, 5000));
            int kind = random.nextInt(5);
            for (int i = 0; i < run; i++) {
                bytes[at + i] = (byte) switch (kind) {
                    case 0 -> random.nextInt();
                    case 1 -> 0;
                    case 2 -> "the quick brown fox ".charAt(i % 20);
                    case 3 -> i >>> 2 + i % 4;
                    default -> 'a' + random.nextInt(4);
                };
            }
            at += run;
        }
        return bytes;
    }

    /// `base` with pieces changed, inserted, left out, moved and repeated.
    static byte[] edited(RandomGenerator random, byte[] base) {
        var out = new ByteArrayOutputStream();
        int at = 0;
        while (at < base.length) {
            int run = Math.min(base.length - at, 1 + random.nextInt(1 << random.nextInt(1, 16)));
            switch (random.nextInt(8)) {
                case 0 -> out.writeBytes(content(random, 1 + random.nextInt(300)));
                case 1 -> {}
                case 2 -> {
                    int elsewhere = random.nextInt(base.length);
                    out.write(base, elsewhere, Math.min(run, base.length - elsewhere));
                }
                case 3 -> {
                    out.write(base, at, run - 1);
                    out.write(base[at + run - 1] ^ 0x55);
                }
                default -> out.write(base, at, run);
            }
            at += run;
        }
        return out.toByteArray();
    }
}
