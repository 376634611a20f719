package io.balena.engine.graphdriver;

/// Bytes that a fuzzer made, as a tar whose checksums are right: no fuzzer finds those.
final class FuzzedTar {
    private static final int MAGIC = 257;
    private static final int CHECKSUM = 148;

    private FuzzedTar() {}

    /// A copy, in which each record with the magic of a header has its checksum.
    static byte[] of(byte[] bytes) {
        byte[] tar = bytes.clone();
        for (int at = 0; at + TarParser.RECORD <= tar.length; at += TarParser.RECORD) {
            if (tar[at + MAGIC] == 'u' && tar[at + MAGIC + 1] == 's' && tar[at + MAGIC + 2] == 't') repair(tar, at);
        }
        return tar;
    }

    private static void repair(byte[] tar, int at) {
        int sum = 8 * ' ';
        for (int i = 0; i < TarParser.RECORD; i++) {
            if (i < CHECKSUM || i >= CHECKSUM + 8) sum += tar[at + i] & 0xff;
        }
        for (int i = 5; i >= 0; i--, sum >>>= 3) tar[at + CHECKSUM + i] = (byte) ('0' + (sum & 7));
        tar[at + CHECKSUM + 6] = 0;
        tar[at + CHECKSUM + 7] = ' ';
    }
}
