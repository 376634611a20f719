package io.balena.engine.delta;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/// Deltas in librsync's format: what the input says is applied to a small base; and half of the input is taken for a base, from which a delta
/// of the other half is made.
public final class DeltaFuzz {
    private static final byte[] BASE = new byte[3000];

    static {
        for (int i = 0; i < BASE.length; i++) BASE[i] = (byte) (i * i >>> 3);
    }

    private record InMemory(byte[] bytes) implements Base {
        @Override
        public long size() {
            return bytes.length;
        }

        @Override
        public Reader open() {
            return new Reader() {
                @Override
                public void read(long position, byte[] to, int offset, int length) {
                    assertTrue(position >= 0 && length >= 0 && position + length <= bytes.length, "reads beyond the base");
                    System.arraycopy(bytes, (int) position, to, offset, length);
                }

                @Override
                public void close() {}
            };
        }

        @Override
        public InputStream stream() {
            return new ByteArrayInputStream(bytes);
        }
    }

    private DeltaFuzz() {}

    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        apply(input);
        make(input);
    }

    private static void apply(byte[] input) throws IOException {
        byte[] delta = new byte[input.length + 4];
        System.arraycopy(new byte[] {0x72, 0x73, 0x02, 0x36}, 0, delta, 0, 4);
        System.arraycopy(input, 0, delta, 4, input.length);
        try (InputStream patched = DeltaFormat.LIBRSYNC.patch(new ByteArrayInputStream(delta), new InMemory(BASE))) {
            long bytes = patched.transferTo(java.io.OutputStream.nullOutputStream());
            // The shortest copy takes three bytes.
            assertTrue(bytes <= (long) input.length * BASE.length, "gives " + bytes + " bytes");
        } catch (InvalidDeltaException e) {
            assertTrue(e.getMessage().startsWith("applying delta: "), e.getMessage());
        }
    }

    private static void make(byte[] input) throws IOException {
        byte[] base = Arrays.copyOf(input, input.length / 2);
        byte[] target = Arrays.copyOfRange(input, input.length / 2, input.length);
        try (DeltaMaker maker = DeltaFormat.LIBRSYNC.maker(new InMemory(base), _ -> {})) {
            var delta = new ByteArrayOutputStream();
            maker.make(new ByteArrayInputStream(target), delta, _ -> {});
            try (InputStream patched = DeltaFormat.LIBRSYNC.patch(new ByteArrayInputStream(delta.toByteArray()), new InMemory(base))) {
                assertArrayEquals(target, patched.readAllBytes());
            }
        }
    }
}
