package io.balena.engine.runtime.bus;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/// A message that came over D-Bus.
///
/// @param type [#RETURN], [#ERROR] or [#SIGNAL]
/// @param replyTo serial of the call it answers, else 0
/// @param name of the signal, or of the error, else null
/// @param body in the byte order of `littleEndian`
public record BusMessage(int type, long replyTo, String name, byte[] body, boolean littleEndian) {
    static final int CALL = 1;
    static final int RETURN = 2;
    static final int ERROR = 3;
    static final int SIGNAL = 4;

    /// Up to the length of the array of header fields.
    static final int FIXED_BYTES = 16;
    /// The specification's own limit is 128 MiB; what we ask for is short.
    private static final int MOST_BYTES = 1 << 20;

    static final int FIELD_PATH = 1;
    static final int FIELD_INTERFACE = 2;
    static final int FIELD_MEMBER = 3;
    static final int FIELD_ERROR_NAME = 4;
    static final int FIELD_REPLY_SERIAL = 5;
    static final int FIELD_DESTINATION = 6;
    static final int FIELD_SIGNATURE = 8;

    /// How many bytes follow the first [#FIXED_BYTES].
    static int rest(byte[] fixed) throws IOException {
        boolean little = littleEndian(fixed);
        long body = Reader.uint32(fixed, 4, little);
        long fields = Reader.uint32(fixed, 12, little);
        if (body > MOST_BYTES || fields > MOST_BYTES) throw new IOException("a message of " + (body + fields) + " bytes came over D-Bus");
        return (int) ((fields + 7) / 8 * 8 + body);
    }

    private static boolean littleEndian(byte[] message) throws IOException {
        if (message[0] == 'l') return true;
        if (message[0] == 'B') return false;
        throw new IOException("not a D-Bus message");
    }

    static BusMessage parse(byte[] message) throws IOException {
        boolean little = littleEndian(message);
        int fields = (int) Reader.uint32(message, 12, little);
        var in = new Reader(message, FIXED_BYTES, little);
        long replyTo = 0;
        String name = null;
        while (in.at < FIXED_BYTES + fields) {
            in.align(8);
            int code = in.octet();
            String signature = in.signature();
            switch (signature) {
                case "s", "o" -> {
                    String value = in.string();
                    if (code == FIELD_MEMBER || code == FIELD_ERROR_NAME) name = value;
                }
                case "g" -> in.signature();
                case "u" -> {
                    long value = in.uint32();
                    if (code == FIELD_REPLY_SERIAL) replyTo = value;
                }
                default -> throw new IOException("a D-Bus header field of type " + signature);
            }
        }
        int start = FIXED_BYTES + (fields + 7) / 8 * 8;
        if (start > message.length) throw new IOException("a D-Bus message that is too short");
        return new BusMessage(message[1], replyTo, name, java.util.Arrays.copyOfRange(message, start, message.length), little);
    }

    public Reader read() {
        return new Reader(body, 0, littleEndian);
    }

    /// Takes values out of the wire format, one after the other.
    public static final class Reader {
        private final byte[] bytes;
        private final boolean little;
        private int at;

        Reader(byte[] bytes, int at, boolean little) {
            this.bytes = bytes;
            this.at = at;
            this.little = little;
        }

        private static long uint32(byte[] bytes, int at, boolean little) {
            long value = 0;
            for (int i = 0; i < 4; i++) value |= (bytes[at + i] & 0xffL) << 8 * (little ? i : 3 - i);
            return value;
        }

        void align(int size) {
            while (at % size != 0) at++;
        }

        private void require(long more) throws IOException {
            if (at + more > bytes.length) throw new IOException("a D-Bus message that is too short");
        }

        int octet() throws IOException {
            require(1);
            return bytes[at++] & 0xff;
        }

        public long uint32() throws IOException {
            align(4);
            require(4);
            at += 4;
            return uint32(bytes, at - 4, little);
        }

        public String string() throws IOException {
            return text(uint32());
        }

        String signature() throws IOException {
            return text(octet());
        }

        private String text(long length) throws IOException {
            require(length + 1);
            String text = new String(bytes, at, (int) length, StandardCharsets.UTF_8);
            at += (int) length + 1;
            return text;
        }
    }
}
