package io.balena.engine.runtime.wire;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// What daemon and shim say to each other: a kind and tagged fields.
///
/// ```
/// length of the rest: 4 bytes │ kind: 1 │ { tag: 1 │ length: 4 │ content } …      numbers are big endian
/// ```
///
/// Either side may be newer than the other, since a shim outlives upgrades of its daemon: fields whose tag is unknown are passed
/// over, missing ones read as empty, 0 or false, and a tag or kind never changes its meaning.
public final class Message {
    /// Longest message, in bytes: room for any arguments and environment execve(2) would accept.
    public static final int MAX_BYTES = 2 << 20;
    public static final int HEADER_BYTES = 4;

    private final int kind;
    private final byte[] fields;

    private Message(int kind, byte[] fields) {
        this.kind = kind;
        this.fields = fields;
    }

    public static Builder of(int kind) {
        return new Builder(kind);
    }

    /// @param content what follows the length
    /// @throws IOException if it is not a message
    public static Message parse(byte[] content) throws IOException {
        if (content.length == 0) throw new IOException("empty message");
        Message message = new Message(content[0], content);
        int at = 1;
        while (at < content.length) {
            if (content.length - at < 5) throw new IOException("truncated field");
            int length = readInt(content, at + 1);
            if (length < 0 || length > content.length - at - 5) throw new IOException("field beyond its message");
            at += 5 + length;
        }
        return message;
    }

    public int kind() {
        return kind;
    }

    public String text(int tag) {
        byte[] content = bytes(tag);
        return new String(content, StandardCharsets.UTF_8);
    }

    /// @return empty when the field is missing
    Optional<String> optionalText(int tag) {
        int at = find(tag, 1);
        return at < 0 ? Optional.empty() : Optional.of(new String(content(at), StandardCharsets.UTF_8));
    }

    /// A field that may be there several times.
    List<String> texts(int tag) {
        List<String> all = new ArrayList<>();
        for (int at = find(tag, 1); at >= 0; at = find(tag, next(at))) {
            all.add(new String(content(at), StandardCharsets.UTF_8));
        }
        return all;
    }

    /// @return the content, no bytes when the field is missing
    public byte[] bytes(int tag) {
        int at = find(tag, 1);
        return at < 0 ? new byte[0] : content(at);
    }

    public long number(int tag) {
        byte[] content = bytes(tag);
        long value = 0;
        for (byte b : content) value = value << 8 | b & 0xff;
        return value;
    }

    public boolean flag(int tag) {
        return number(tag) != 0;
    }

    /// Messages within this one.
    public List<Message> messages(int tag) throws IOException {
        List<Message> all = new ArrayList<>();
        for (int at = find(tag, 1); at >= 0; at = find(tag, next(at))) all.add(parse(content(at)));
        return all;
    }

    public static int readInt(byte[] from, int at) {
        return from[at] << 24 | (from[at + 1] & 0xff) << 16 | (from[at + 2] & 0xff) << 8 | from[at + 3] & 0xff;
    }

    private int find(int tag, int from) {
        for (int at = from; at < fields.length; at = next(at)) {
            if (fields[at] == tag) return at;
        }
        return -1;
    }

    private int next(int at) {
        return at + 5 + readInt(fields, at + 1);
    }

    private byte[] content(int at) {
        int length = readInt(fields, at + 1);
        byte[] content = new byte[length];
        System.arraycopy(fields, at + 5, content, 0, length);
        return content;
    }

    /// Puts a message together.
    public static final class Builder {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream(64);

        private Builder(int kind) {
            out.write(kind);
        }

        public Builder text(int tag, String value) {
            return bytes(tag, value.getBytes(StandardCharsets.UTF_8));
        }

        public Builder bytes(int tag, byte[] value) {
            out.write(tag);
            writeInt(value.length);
            out.write(value, 0, value.length);
            return this;
        }

        public Builder number(int tag, long value) {
            out.write(tag);
            writeInt(8);
            writeInt((int) (value >> 32));
            writeInt((int) value);
            return this;
        }

        public Builder flag(int tag, boolean value) {
            return value ? number(tag, 1) : this;
        }

        public Builder message(int tag, Builder value) {
            return bytes(tag, value.out.toByteArray());
        }

        /// As it travels, length first.
        public byte[] encode() {
            byte[] content = out.toByteArray();
            byte[] framed = new byte[HEADER_BYTES + content.length];
            framed[0] = (byte) (content.length >> 24);
            framed[1] = (byte) (content.length >> 16);
            framed[2] = (byte) (content.length >> 8);
            framed[3] = (byte) content.length;
            System.arraycopy(content, 0, framed, HEADER_BYTES, content.length);
            return framed;
        }

        private void writeInt(int value) {
            out.write(value >> 24);
            out.write(value >> 16);
            out.write(value >> 8);
            out.write(value);
        }
    }
}
