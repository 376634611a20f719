package io.balena.engine.graphdriver;

import java.util.Arrays;

/// One header of a tar, 512 bytes.
///
/// ```
///   0 name 100 │ 100 mode 8 │ 108 uid 8 │ 116 gid 8 │ 124 size 12 │ 136 mtime 12 │ 148 checksum 8 │ 156 type │ 157 link 100
/// 257 magic 6 │ 263 version 2 │ 329 device major 8 │ 337 device minor 8
///      ustar, pax   345 prefix 155        star   345 prefix 131 │ 476 atime 12 │ 488 ctime 12 │ 508 "tar"
///      GNU          345 atime 12 │ 357 ctime 12 │ 386 sparse parts, 4 of 24 │ 482 more of them follow │ 483 real size 12
/// ```
/// @see <a href="https://www.gnu.org/software/tar/manual/html_node/Standard.html">GNU tar, basic tar format</a>
final class HeaderRecord {
    static final int SIZE = 512;
    private static final int PREFIX = 345;

    private final byte[] bytes;
    private final int at;

    /// @param at where the record begins in `bytes`, which must not change while this is in use
    HeaderRecord(byte[] bytes, int at) {
        this.bytes = bytes;
        this.at = at;
    }

    boolean isZero() {
        for (int i = at; i < at + SIZE; i++) if (bytes[i] != 0) return false;
        return true;
    }

    /// Some archivers of old added the bytes up as signed ones.
    void verify() throws InvalidLayerException {
        int unsigned = 8 * ' ';
        int signed = unsigned;
        for (int i = 0; i < SIZE; i++) {
            if (i == 148) i = 156;
            unsigned += bytes[at + i] & 0xff;
            signed += bytes[at + i];
        }
        long expected = octal(148, 8, "checksum");
        if (expected != unsigned && expected != signed) throw TarParser.invalid("wrong checksum");
    }

    byte type() {
        return bytes[at + 156];
    }

    /// With the prefix, where the format has one.
    byte[] name() {
        byte[] name = text(0, 100);
        byte[] prefix = prefix();
        if (prefix.length == 0) return name;
        byte[] joined = Arrays.copyOf(prefix, prefix.length + 1 + name.length);
        joined[prefix.length] = '/';
        System.arraycopy(name, 0, joined, prefix.length + 1, name.length);
        return joined;
    }

    private byte[] prefix() {
        if (isUstar()) return text(PREFIX, matches(508, "tar\0") ? 131 : 155);
        // Go before 1.8, and with it Docker, wrote a prefix where GNU has its times.
        if (isGnu() && !(isTimeOrNothing(PREFIX) && isTimeOrNothing(PREFIX + 12))) {
            byte[] prefix = text(PREFIX, 155);
            for (byte b : prefix) if (b < 0) return new byte[0];
            return prefix;
        }
        return new byte[0];
    }

    private boolean isTimeOrNothing(int field) {
        if (bytes[at + field] == 0) return true;
        try {
            number(field, 12, "time");
            return true;
        } catch (InvalidLayerException e) {
            return false;
        }
    }

    byte[] linkName() {
        return text(157, 100);
    }

    boolean isUstar() {
        return matches(257, "ustar\0");
    }

    boolean isGnu() {
        return matches(257, "ustar  \0");
    }

    boolean flag(int field) {
        return bytes[at + field] != 0;
    }

    /// Octal digits, or base-256 when the first bit is set.
    long number(int field, int length, String what) throws InvalidLayerException {
        int first = bytes[at + field];
        if ((first & 0x80) == 0) return octal(field, length, what);
        long inversion = (first & 0x40) != 0 ? 0xff : 0;
        long value = 0;
        for (int i = 0; i < length; i++) {
            long digit = (bytes[at + field + i] & 0xff) ^ inversion;
            if (i == 0) digit &= 0x7f;
            if (value >>> 55 != 0) throw TarParser.invalid(what + " out of range");
            value = value << 8 | digit;
        }
        return inversion == 0 ? value : ~value;
    }

    private long octal(int field, int length, String what) throws InvalidLayerException {
        int from = at + field;
        int end = from + length;
        while (from < end && (bytes[from] == ' ' || bytes[from] == 0)) from++;
        while (from < end && (bytes[end - 1] == ' ' || bytes[end - 1] == 0)) end--;
        long value = 0;
        for (; from < end && bytes[from] != 0; from++) {
            int digit = bytes[from] - '0';
            if (digit < 0 || digit > 7 || value >>> 60 != 0) throw TarParser.invalid(what);
            value = value << 3 | digit;
        }
        return value;
    }

    private byte[] text(int field, int length) {
        return untilZero(bytes, at + field, length);
    }

    private boolean matches(int field, String magic) {
        for (int i = 0; i < magic.length(); i++) if (bytes[at + field + i] != magic.charAt(i)) return false;
        return true;
    }

    static byte[] untilZero(byte[] b, int at, int length) {
        int end = at;
        while (end < at + length && b[end] != 0) end++;
        return Arrays.copyOfRange(b, at, end);
    }
}
