package io.balena.engine.dns;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.List;

/// Makes the messages that are sent to containers.
final class DnsReply {
    static final int FORMAT_ERROR = 1;
    static final int SERVER_FAILURE = 2;
    static final int NOT_IMPLEMENTED = 4;
    static final int REFUSED = 5;

    /// As Docker's. Containers come and go, but hardly any program looks at it.
    private static final int TIME_TO_LIVE_SECONDS = 600;
    private static final int TRUNCATED = 0x02;
    private static final int RECORD_BYTES = 12;

    private DnsReply() {}

    /// @param addresses all of the family that was asked for; none says that there are none
    /// @param limit bytes; what does not fit is left out, and said to be
    static byte[] addresses(DnsQuery query, List<InetAddress> addresses, int limit) {
        int size = RECORD_BYTES + (query.type() == DnsQuery.A ? 4 : 16);
        int count = Math.min(addresses.size(), (limit - query.questionEnd()) / size);
        byte[] reply = begin(query, query.questionEnd() + count * size, 0);
        int at = query.questionEnd();
        for (int i = 0; i < count; i++) at = record(reply, at, query.type(), addresses.get(i).getAddress());
        return ended(reply, count, count < addresses.size());
    }

    /// @param name with its dots, but the last
    static byte[] pointer(DnsQuery query, String name) {
        ByteArrayOutputStream encoded = new ByteArrayOutputStream(64);
        for (String label : name.split("\\.")) {
            if (label.isEmpty()) continue;
            byte[] bytes = label.getBytes(ISO_8859_1);
            int length = Math.min(bytes.length, 63);
            encoded.write(length);
            encoded.write(bytes, 0, length);
        }
        encoded.write(0);
        byte[] data = encoded.toByteArray();
        byte[] reply = begin(query, query.questionEnd() + RECORD_BYTES + data.length, 0);
        record(reply, query.questionEnd(), DnsQuery.PTR, data);
        return ended(reply, 1, false);
    }

    static byte[] failure(DnsQuery query, int code) {
        return begin(query, query.questionEnd(), code);
    }

    /// To what cannot be understood: there is no more to repeat of it than its number.
    static byte[] failure(byte[] message, int code) {
        byte[] reply = Arrays.copyOf(message, DnsQuery.HEADER_BYTES);
        Arrays.fill(reply, 4, reply.length, (byte) 0);
        reply[2] = (byte) (0x80 | message[2] & 0x79);
        reply[3] = (byte) (0x80 | code);
        return reply;
    }

    /// Tells the asker to ask again through a stream.
    static byte[] truncated(DnsQuery query) {
        return ended(begin(query, query.questionEnd(), 0), 0, true);
    }

    private static byte[] begin(DnsQuery query, int length, int code) {
        byte[] reply = new byte[length];
        System.arraycopy(query.message(), 0, reply, 0, query.questionEnd());
        // A response, recursion as desired, which is available.
        reply[2] = (byte) (0x80 | reply[2] & 0x01);
        reply[3] = (byte) (0x80 | code);
        Arrays.fill(reply, 6, DnsQuery.HEADER_BYTES, (byte) 0);
        return reply;
    }

    private static byte[] ended(byte[] reply, int answers, boolean truncated) {
        reply[6] = (byte) (answers >> 8);
        reply[7] = (byte) answers;
        if (truncated) reply[2] |= TRUNCATED;
        return reply;
    }

    private static int record(byte[] reply, int from, int type, byte[] data) {
        int at = from;
        reply[at++] = (byte) 0xc0; // the name is that of the question
        reply[at++] = DnsQuery.HEADER_BYTES;
        at = number(reply, at, type);
        at = number(reply, at, DnsQuery.INTERNET);
        at = number(reply, at, 0);
        at = number(reply, at, TIME_TO_LIVE_SECONDS);
        at = number(reply, at, data.length);
        System.arraycopy(data, 0, reply, at, data.length);
        return at + data.length;
    }

    private static int number(byte[] reply, int at, int value) {
        reply[at] = (byte) (value >> 8);
        reply[at + 1] = (byte) value;
        return at + 2;
    }
}
