package io.balena.engine.runtime.log;

import java.nio.charset.StandardCharsets;

/// Builds records of logs: JSON out of bytes that may be anything, byte for byte as Docker's json-file driver does (invalid UTF-8
/// becomes `\ufffd`, and what HTML or JavaScript could mistake is escaped), and fields of protobuf.
///
/// This is the shim's hottest code, and the only that is compiled.
public final class JsonText {
    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] REPLACEMENT = "\\ufffd".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] LINE_SEPARATOR = "\\u202".getBytes(StandardCharsets.US_ASCII);
    /// Most bytes one byte can become.
    static final int GROWTH = 6;

    /// Whether a byte, 128 added, stands for itself.
    private static final boolean[] PLAIN = new boolean[256];

    static {
        for (int b = 0x20; b < 0x80; b++) PLAIN[b + 128] = true;
        for (byte b : "\"\\<>&".getBytes(StandardCharsets.US_ASCII)) PLAIN[b + 128] = false;
    }

    private byte[] bytes;
    private int length;

    public JsonText(int capacity) {
        bytes = new byte[capacity];
    }

    byte[] bytes() {
        return bytes;
    }

    int length() {
        return length;
    }

    void clear() {
        length = 0;
    }

    /// Makes room for so many bytes more.
    void reserve(int more) {
        if (bytes.length - length >= more) return;
        byte[] larger = new byte[Math.max(length + more, 2 * bytes.length)];
        System.arraycopy(bytes, 0, larger, 0, length);
        bytes = larger;
    }

    void append(byte[] raw) {
        System.arraycopy(raw, 0, bytes, length, raw.length);
        length += raw.length;
    }

    void append(byte one) {
        bytes[length++] = one;
    }

    void append(byte[] in, int from, int to) {
        System.arraycopy(in, from, bytes, length, to - from);
        length += to - from;
    }

    byte[] toBytes() {
        byte[] result = new byte[length];
        System.arraycopy(bytes, 0, result, 0, length);
        return result;
    }

    /// Where the first newline in `in[from, to)` is, or `to`.
    static int newline(byte[] in, int from, int to) {
        int at = from;
        while (at < to && in[at] != '\n') at++;
        return at;
    }

    /// Appends four bytes, the highest first. Room is the caller's business, as below.
    void appendInt(int value) {
        putInt(length, value);
        length += 4;
    }

    void putInt(int at, int value) {
        bytes[at] = (byte) (value >> 24);
        bytes[at + 1] = (byte) (value >> 16);
        bytes[at + 2] = (byte) (value >> 8);
        bytes[at + 3] = (byte) value;
    }

    /// Appends a field of protobuf that is a number.
    void appendNumber(int field, long value) {
        bytes[length++] = (byte) (field << 3);
        appendVariable(value);
    }

    /// Appends a field of protobuf that is bytes.
    void appendField(int field, byte[] in, int from, int to) {
        bytes[length++] = (byte) (field << 3 | 2);
        appendVariable(to - from);
        System.arraycopy(in, from, bytes, length, to - from);
        length += to - from;
    }

    private void appendVariable(long value) {
        long rest = value;
        while ((rest & ~0x7fL) != 0) {
            bytes[length++] = (byte) (rest | 0x80);
            rest >>>= 7;
        }
        bytes[length++] = (byte) rest;
    }

    /// Appends `in[from, to)`, escaped. There must be room for [#GROWTH] times as much.
    void appendEscaped(byte[] in, int from, int to) {
        boolean[] plain = PLAIN;
        int start = from;
        int at = from;
        while (true) {
            while (at < to && plain[in[at] + 128]) at++;
            if (at < to && in[at] < 0) {
                int size = validSequence(in, at, to);
                if (size > 0) {
                    at += size;
                    continue;
                }
            }
            System.arraycopy(in, start, bytes, length, at - start);
            length += at - start;
            if (at == to) return;
            at += escape(in, at, to);
            start = at;
        }
    }

    private int escape(byte[] in, int at, int to) {
        byte b = in[at];
        if (b < 0) {
            if (b == (byte) 0xe2 && at + 2 < to && in[at + 1] == (byte) 0x80 && (in[at + 2] & 0xfe) == 0xa8) {
                append(LINE_SEPARATOR); // U+2028, U+2029: newlines to JavaScript
                bytes[length++] = HEX[in[at + 2] & 0xf];
                return 3;
            }
            append(REPLACEMENT);
            return 1;
        }
        bytes[length++] = '\\';
        switch (b) {
            case '"', '\\' -> bytes[length++] = b;
            case '\r' -> bytes[length++] = 'r';
            default -> {
                bytes[length++] = 'u';
                bytes[length++] = '0';
                bytes[length++] = '0';
                bytes[length++] = HEX[b >> 4];
                bytes[length++] = HEX[b & 0xf];
            }
        }
        return 1;
    }

    /// Length of the UTF-8 sequence at `at`; 0 when there is no valid one, or it has to be escaped.
    private static int validSequence(byte[] in, int at, int to) {
        int first = in[at] & 0xff;
        if (first < 0xc2 || first > 0xf4) return 0;
        int size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (at + size > to) return 0;
        for (int i = 1; i < size; i++) {
            if ((in[at + i] & 0xc0) != 0x80) return 0;
        }
        int second = in[at + 1] & 0xff;
        return switch (first) {
            case 0xe0 -> second >= 0xa0 ? size : 0; // overlong
            case 0xed -> second < 0xa0 ? size : 0; // surrogates
            case 0xf0 -> second >= 0x90 ? size : 0; // overlong
            case 0xf4 -> second < 0x90 ? size : 0; // beyond U+10FFFF
            case 0xe2 -> second == 0x80 && (in[at + 2] & 0xfe) == 0xa8 ? 0 : size;
            default -> size;
        };
    }
}
