package io.balena.engine.delta;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class LibrsyncPatchTest {
    private final byte[] base = Deltas.content(new SplittableRandom(1), 100_000);

    @Test
    void everyFormOfALiteralIsRead() throws Exception {
        for (int length = 1; length <= 64; length++) assertArrayEquals(some(length), applyImmediate(length));
        for (int width = 0; width < 4; width++) {
            int bytes = 1 << width;
            byte[] literal = some(width == 0 ? 200 : 1000);
            assertArrayEquals(literal, apply(delta -> {
                delta.writeByte(0x40 + Integer.numberOfTrailingZeros(bytes) + 1);
                number(delta, literal.length, bytes);
                delta.write(literal);
            }));
        }
    }

    @Test
    void everyFormOfACopyIsRead() throws Exception {
        for (int p = 0; p < 4; p++) {
            for (int n = 0; n < 4; n++) {
                int position = p == 0 ? 250 : 65_000;
                int length = n == 0 ? 255 : 30_000;
                int command = 0x45 + 4 * p + n;
                int positionBytes = 1 << p;
                int lengthBytes = 1 << n;
                assertArrayEquals(Arrays.copyOfRange(base, position, position + length), apply(delta -> {
                    delta.writeByte(command);
                    number(delta, position, positionBytes);
                    number(delta, length, lengthBytes);
                }), Integer.toHexString(command));
            }
        }
    }

    @Test
    void commandsOfNoLengthSayNothing() throws Exception {
        assertArrayEquals(new byte[] {'x'}, apply(delta -> {
            delta.write(new byte[] {0x41, 0, 0x45, 5, 0, 1, 'x', 0x45, 0, 0});
        }));
    }

    @Test
    void itIsReadInPiecesOfAnySize() throws Exception {
        byte[] target = Deltas.edited(new SplittableRandom(2), base);
        byte[] delta = Deltas.make(base, target);
        var random = new SplittableRandom(3);
        var out = new ByteArrayOutputStream();
        try (InputStream patched = DeltaFormat.LIBRSYNC.patch(new ByteArrayInputStream(delta), new BytesBase(base))) {
            byte[] piece = new byte[1000];
            for (int got = 0; got >= 0; got = patched.read(piece, 0, 1 + random.nextInt(999))) out.write(piece, 0, got);
        }
        assertArrayEquals(target, out.toByteArray());
    }

    @Test
    void anotherFormatIsToldByItsMagicNumber() {
        failsWith("applying delta: Got magic number baaaaaad rather than expected value 72730236", new byte[] {(byte) 0xba, (byte) 0xaa, (byte) 0xaa, (byte) 0xad, 0});
    }

    @Test
    void aDeltaMayBreakOffNowhere() throws Exception {
        byte[] delta = Deltas.make(base, Deltas.edited(new SplittableRandom(5), Arrays.copyOf(base, 3000)));
        for (int length = 0; length < delta.length; length++) {
            failsWith("applying delta: unexpected EOF", Arrays.copyOf(delta, length));
        }
    }

    @Test
    void copiesFromBeyondTheBaseAreRefused() {
        failsWith("applying delta: copy of 2 bytes at 99999 reaches beyond the base of 100000 bytes", bytes(delta -> {
            delta.writeByte(0x45 + 4 * 2);
            delta.writeInt(99_999);
            delta.writeByte(2);
        }));
        failsWith("applying delta: copy of 9223372036854775807 bytes at 1 reaches beyond the base of 100000 bytes", bytes(delta -> {
            delta.writeByte(0x45 + 3);
            delta.writeByte(1);
            delta.writeLong(Long.MAX_VALUE);
        }));
        failsWith("applying delta: length or position of 18446744073709551615", bytes(delta -> {
            delta.writeByte(0x54);
            delta.writeLong(-1);
            delta.writeLong(1);
        }));
    }

    @Test
    void unknownCommandsAreRefused() {
        for (int command = 0x55; command <= 0xff; command++) {
            int unknown = command;
            failsWith("applying delta: Bogus command " + Integer.toHexString(command), bytes(delta -> delta.writeByte(unknown)));
        }
    }

    @Test
    void garbageIsAnErrorOrSomethingElseButNeverAnythingWorse() throws Exception {
        byte[] good = Deltas.make(base, Deltas.edited(new SplittableRandom(9), base));
        for (int seed = 0; seed < 2000; seed++) {
            var random = new SplittableRandom(seed);
            byte[] bad = good.clone();
            for (int i = 1 + random.nextInt(3); i > 0; i--) bad[random.nextInt(4, bad.length)] ^= (byte) (1 << random.nextInt(8));
            try (InputStream patched = DeltaFormat.LIBRSYNC.patch(new ByteArrayInputStream(bad), new BytesBase(base))) {
                patched.transferTo(java.io.OutputStream.nullOutputStream());
            } catch (InvalidDeltaException expected) {
                // The usual end.
            }
        }
    }

    private interface Content {
        void write(DataOutputStream delta) throws IOException;
    }

    private byte[] applyImmediate(int length) throws IOException {
        return apply(delta -> {
            delta.writeByte(length);
            delta.write(some(length));
        });
    }

    private byte[] apply(Content commands) throws IOException {
        return Deltas.apply(bytes(delta -> {
            commands.write(delta);
            delta.writeByte(0);
        }), base);
    }

    private static byte[] bytes(Content commands) {
        try {
            var bytes = new ByteArrayOutputStream();
            var delta = new DataOutputStream(bytes);
            delta.writeInt(0x72730236);
            commands.write(delta);
            return bytes.toByteArray();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void number(DataOutputStream delta, long value, int bytes) throws IOException {
        for (int i = bytes - 1; i >= 0; i--) delta.writeByte((int) (value >>> 8 * i));
    }

    private static byte[] some(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = (byte) (i * 7 + 1);
        return bytes;
    }

    private void failsWith(String message, byte[] delta) {
        assertEquals(message, assertThrows(InvalidDeltaException.class, () -> Deltas.apply(delta, base)).getMessage());
    }
}
