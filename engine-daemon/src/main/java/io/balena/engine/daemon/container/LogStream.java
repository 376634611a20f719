package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.daemon.container.log.LogEntry;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URLEncoder;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.stream.Collectors;

/// Writes log entries the way Docker's clients read them: framed by stream, or bare for a terminal's.
final class LogStream {
    /// Always nine digits, so that columns align and times sort as text.
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSS'Z'").withZone(ZoneOffset.UTC);

    private final OutputStream out;
    private final boolean framed;
    private final boolean timestamps;
    private final boolean details;

    LogStream(OutputStream out, boolean framed, boolean timestamps, boolean details) {
        this.out = out;
        this.framed = framed;
        this.timestamps = timestamps;
        this.details = details;
    }

    void write(LogEntry entry) throws IOException {
        byte[] before = prefix(entry).getBytes(US_ASCII);
        byte[] text = entry.text();
        if (framed) out.write(header(entry.stream().number(), before.length + text.length));
        out.write(before);
        out.write(text);
    }

    private String prefix(LogEntry entry) {
        var prefix = new StringBuilder();
        if (timestamps) prefix.append(time(entry.time())).append(' ');
        if (details) {
            prefix.append(entry.attributes().entrySet().stream().map(e -> escaped(e.getKey()) + "=" + escaped(e.getValue()))
                    .collect(Collectors.joining(","))).append(' ');
        }
        return prefix.toString();
    }

    /// As Go escapes queries, so that neither comma nor newline can be mistaken.
    private static String escaped(String text) {
        return URLEncoder.encode(text, UTF_8).replace("*", "%2A").replace("%7E", "~");
    }

    static String time(Instant time) {
        return TIME.format(time);
    }

    /// `[stream, 0, 0, 0, length as 4 bytes, big endian]`
    static byte[] header(int stream, int length) {
        return new byte[] {(byte) stream, 0, 0, 0, (byte) (length >>> 24), (byte) (length >>> 16), (byte) (length >>> 8), (byte) length};
    }
}
