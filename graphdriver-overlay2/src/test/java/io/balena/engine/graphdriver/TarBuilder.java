package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.util.function.Consumer;

/// Builds tars member by member, also such as no archiver would write.
final class TarBuilder {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    TarBuilder file(String name, String content) {
        return member(name, '0', "", content.getBytes(UTF_8), h -> {});
    }

    TarBuilder folder(String name) {
        return member(name, '5', "", new byte[0], h -> {});
    }

    TarBuilder symlink(String name, String target) {
        return member(name, '2', target, new byte[0], h -> {});
    }

    TarBuilder hardLink(String name, String target) {
        return member(name, '1', target, new byte[0], h -> {});
    }

    TarBuilder device(String name, int major, int minor) {
        return member(name, '3', "", new byte[0], h -> {
            put(h, 329, String.format("%07o", major));
            put(h, 337, String.format("%07o", minor));
        });
    }

    TarBuilder pax(String... records) {
        var content = new StringBuilder();
        for (String record : records) {
            int length = record.length() + 3;
            while ((length + " " + record + "\n").length() != length) length++;
            content.append(length).append(' ').append(record).append('\n');
        }
        return member("PaxHeaders/x", 'x', "", content.toString().getBytes(ISO_8859_1), h -> {});
    }

    /// @param edit changes the header before its checksum is made
    TarBuilder member(String name, char type, String link, byte[] content, Consumer<byte[]> edit) {
        byte[] h = new byte[512];
        put(h, 0, name);
        put(h, 100, type == '5' ? "0000755" : "0000644");
        put(h, 108, "0000000");
        put(h, 116, "0000000");
        put(h, 124, String.format("%011o", content.length));
        put(h, 136, "14712345670");
        h[156] = (byte) type;
        put(h, 157, link);
        put(h, 257, "ustar\00000");
        edit.accept(h);
        put(h, 148, "        ");
        int sum = 0;
        for (byte b : h) sum += b & 0xff;
        put(h, 148, String.format("%06o\0 ", sum));
        out.writeBytes(h);
        out.writeBytes(content);
        out.writeBytes(new byte[-content.length & 511]);
        return this;
    }

    TarBuilder raw(byte[] bytes) {
        out.writeBytes(bytes);
        return this;
    }

    byte[] unended() {
        return out.toByteArray();
    }

    byte[] bytes() {
        var ended = new ByteArrayOutputStream();
        ended.writeBytes(out.toByteArray());
        ended.writeBytes(new byte[1024]);
        return ended.toByteArray();
    }

    InputStream stream() {
        return new ByteArrayInputStream(bytes());
    }

    static void put(byte[] header, int at, String text) {
        byte[] bytes = text.getBytes(ISO_8859_1);
        System.arraycopy(bytes, 0, header, at, bytes.length);
    }
}
