package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

class Crc64Test {
    @Test
    void theCheckValueOfIso3309IsReached() {
        assertEquals(0xb90956c775a41001L, crc("123456789".getBytes(US_ASCII), 9));
    }

    @Test
    void everyLengthAndEveryCutGivesWhatBitByBitGives() {
        byte[] bytes = new byte[300];
        new Random(1).nextBytes(bytes);
        for (int length = 0; length <= bytes.length; length++) {
            long expected = bitByBit(bytes, length);
            for (int cut : new int[] {0, 1, 7, 8, 31, 33, 64, 100}) {
                assertEquals(expected, crc(java.util.Arrays.copyOf(bytes, length), cut));
            }
        }
    }

    private static long crc(byte[] bytes, int cut) {
        var crc = new Crc64();
        crc.update(bytes, 0, Math.min(cut, bytes.length));
        crc.update(bytes, Math.min(cut, bytes.length), bytes.length);
        return crc.value();
    }

    private static long bitByBit(byte[] bytes, int length) {
        long crc = -1;
        for (int i = 0; i < length; i++) {
            crc ^= bytes[i] & 0xff;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? crc >>> 1 ^ 0xd800000000000000L : crc >>> 1;
        }
        return ~crc;
    }
}
