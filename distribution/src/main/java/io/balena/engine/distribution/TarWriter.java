package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;

/// Writes a tar (ustar) of files and folders that belong to root and are as old as Unix: the same content gives the same bytes.
final class TarWriter {
    private static final int RECORD = 512;
    /// Bytes that say that nothing follows.
    static final int END = 2 * RECORD;
    private static final int BUFFER = 64 * 1024;

    private final OutputStream out;

    TarWriter(OutputStream out) {
        this.out = out;
    }

    /// @param name at most 100 ASCII characters, as that of [#file(String, byte[])]
    void folder(String name) throws IOException {
        out.write(header(name, '5', 0755, 0));
    }

    void file(String name, byte[] content) throws IOException {
        out.write(header(name, '0', 0644, content.length));
        out.write(content);
        pad(content.length);
    }

    /// @param size bytes that `content` must have
    void file(String name, InputStream content, long size) throws IOException {
        out.write(header(name, '0', 0644, size));
        byte[] buffer = new byte[BUFFER];
        long written = 0;
        for (int got; (got = content.read(buffer)) >= 0; written += got) {
            if (written + got > size) throw new IOException(name + " has more than the " + size + " bytes it should have");
            out.write(buffer, 0, got);
        }
        if (written < size) throw new IOException(name + " has " + written + " bytes instead of " + size);
        pad(size);
    }

    /// Writes the mark that says that nothing follows.
    void end() throws IOException {
        out.write(new byte[END]);
    }

    /// Bytes that follow `size` bytes of content.
    static int padding(long size) {
        return (int) (-size & RECORD - 1);
    }

    private void pad(long size) throws IOException {
        out.write(new byte[padding(size)]);
    }

    /// A header of a file or folder that belongs to root.
    static byte[] header(String name, char type, int mode, long size) {
        byte[] header = new byte[RECORD];
        put(header, 0, name);
        put(header, 100, String.format("%07o", mode));
        put(header, 108, "0000000");
        put(header, 116, "0000000");
        number(header, 124, size);
        put(header, 136, "00000000000");
        header[156] = (byte) type;
        put(header, 257, "ustar\00000");
        Arrays.fill(header, 148, 156, (byte) ' ');
        int sum = 0;
        for (byte b : header) sum += b & 0xff;
        put(header, 148, String.format("%06o\0 ", sum));
        return header;
    }

    /// Twelve bytes: octal digits, or from 8 GiB on base-256 behind a set bit, which every reader of our time understands.
    private static void number(byte[] header, int at, long value) {
        if (value < 1L << 33) {
            put(header, at, String.format("%011o", value));
            return;
        }
        header[at] = (byte) 0x80;
        for (int i = 0; i < 8; i++) header[at + 11 - i] = (byte) (value >>> 8 * i);
    }

    private static void put(byte[] header, int at, String text) {
        byte[] bytes = text.getBytes(US_ASCII);
        System.arraycopy(bytes, 0, header, at, bytes.length);
    }
}
