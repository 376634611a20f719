package io.balena.engine.dns;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.util.Locale;

/// A question, with the message it came in.
///
/// ```
///  0  id       2  QR│opcode│AA│TC│RD│RA│rcode
///  4  QDCOUNT  6  ANCOUNT   8  NSCOUNT  10  ARCOUNT
/// 12  name: { length │ label } … 0   then type, class
/// ```
///
/// @see <a href="https://www.rfc-editor.org/rfc/rfc1035#section-4">RFC 1035, section 4</a>
final class DnsQuery {
    static final int HEADER_BYTES = 12;
    static final int A = 1;
    static final int PTR = 12;
    static final int MX = 15;
    static final int AAAA = 28;
    static final int INTERNET = 1;

    private static final int OPT = 41;
    private static final int LEAST_LIMIT = 512;
    private static final int MOST_LIMIT = 65_535;
    private static final int MOST_NAME_BYTES = 255;
    private static final int MOST_LABEL_BYTES = 63;

    private final byte[] message;
    private final int questionEnd;
    private final String name;
    private final int type;
    private final int kind;
    private final int limit;

    private DnsQuery(byte[] message, int questionEnd, String name, int type, int kind, int limit) {
        this.message = message;
        this.questionEnd = questionEnd;
        this.name = name;
        this.type = type;
        this.kind = kind;
        this.limit = limit;
    }

    /// @param message nothing else may change it
    static DnsQuery parse(byte[] message) throws MalformedQuery {
        if (message.length < HEADER_BYTES || (message[2] & 0x80) != 0) throw new MalformedQuery(-1);
        if ((message[2] >> 3 & 0xf) != 0) throw new MalformedQuery(DnsReply.NOT_IMPLEMENTED);
        if (number(message, 4) != 1) throw new MalformedQuery(DnsReply.FORMAT_ERROR);
        StringBuilder name = new StringBuilder(64);
        int at = HEADER_BYTES;
        while (true) {
            int length = octet(message, at++);
            if (length == 0) break;
            // What the first name in a message would point to is no name.
            if (length > MOST_LABEL_BYTES || at + length > message.length) throw new MalformedQuery(DnsReply.FORMAT_ERROR);
            if (at + length - HEADER_BYTES > MOST_NAME_BYTES) throw new MalformedQuery(DnsReply.FORMAT_ERROR);
            if (!name.isEmpty()) name.append('.');
            name.append(new String(message, at, length, ISO_8859_1));
            at += length;
        }
        if (at + 4 > message.length) throw new MalformedQuery(DnsReply.FORMAT_ERROR);
        int end = at + 4;
        return new DnsQuery(message, end, name.toString().toLowerCase(Locale.ROOT), number(message, at), number(message, at + 2), limit(message, end));
    }

    /// What the asker takes in a datagram, in bytes: said by a record of type OPT among the additional ones (RFC 6891).
    private static int limit(byte[] message, int questionEnd) throws MalformedQuery {
        int records = number(message, 6) + number(message, 8) + number(message, 10);
        int at = questionEnd;
        for (int i = 0; i < records; i++) {
            at = afterName(message, at);
            if (at + 10 > message.length) throw new MalformedQuery(DnsReply.FORMAT_ERROR);
            if (number(message, at) == OPT) return Math.clamp(number(message, at + 2), LEAST_LIMIT, MOST_LIMIT);
            at += 10 + number(message, at + 8);
            if (at > message.length) throw new MalformedQuery(DnsReply.FORMAT_ERROR);
        }
        return LEAST_LIMIT;
    }

    private static int afterName(byte[] message, int from) throws MalformedQuery {
        int at = from;
        while (true) {
            int length = octet(message, at++);
            if (length == 0) return at;
            // Where a pointer leads does not matter here, so a loop of them does no harm.
            if (length >= 0xc0) return at + 1;
            if (length > MOST_LABEL_BYTES) throw new MalformedQuery(DnsReply.FORMAT_ERROR);
            at += length;
        }
    }

    private static int octet(byte[] message, int at) throws MalformedQuery {
        if (at >= message.length) throw new MalformedQuery(DnsReply.FORMAT_ERROR);
        return message[at] & 0xff;
    }

    static int number(byte[] message, int at) {
        return (message[at] & 0xff) << 8 | message[at + 1] & 0xff;
    }

    /// In small letters, without the dot at its end.
    String name() {
        return name;
    }

    int type() {
        return type;
    }

    /// Whether a name that containers have is looked for, of which others know nothing.
    boolean isForNames() {
        return type == A || type == AAAA || type == MX;
    }

    boolean isOfTheInternet() {
        return kind == INTERNET;
    }

    /// Bytes that the asker takes in one datagram.
    int limit() {
        return limit;
    }

    /// Offset of what follows the question.
    int questionEnd() {
        return questionEnd;
    }

    byte[] message() {
        return message;
    }

    /// Whether `answer` repeats the question, which whoever only guesses at what was asked cannot do.
    boolean isAnsweredBy(byte[] answer) {
        if (answer.length < HEADER_BYTES || (answer[2] & 0x80) == 0) return false;
        // Servers that cannot make sense of a query may leave it out.
        if (number(answer, 4) == 0) return (answer[3] & 0xf) != 0;
        if (answer.length < questionEnd) return false;
        for (int i = HEADER_BYTES; i < questionEnd; i++) {
            if (small(answer[i]) != small(message[i])) return false;
        }
        return true;
    }

    private static int small(byte octet) {
        return octet >= 'A' && octet <= 'Z' ? octet + 32 : octet;
    }
}
