package io.balena.engine.daemon.container.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/// One entry as `journalctl --output=export` writes it: lines `NAME=value`, or `NAME`, the value's length (8 bytes, little endian), the
/// value; an empty line ends the entry.
///
/// @param cursor its place in the journal
/// @see <a href="https://systemd.io/JOURNAL_EXPORT_FORMATS/">Journal Export Formats</a>
record JournalEntry(String cursor, LogEntry entry) {
    private static final int MOST_BYTES = 64 << 20;
    /// What every entry has, and is no detail.
    private static final Set<String> WELL_KNOWN = Set.of("MESSAGE", "MESSAGE_ID", "PRIORITY", "CODE_FILE", "CODE_LINE", "CODE_FUNC", "ERRNO",
            "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "CONTAINER_NAME", "CONTAINER_ID", "CONTAINER_ID_FULL", "CONTAINER_TAG");

    /// @return null at the end
    static JournalEntry read(InputStream in) throws IOException {
        Map<String, byte[]> fields = new TreeMap<>();
        while (true) {
            byte[] line = line(in);
            if (line == null) return null;
            if (line.length == 0) {
                if (fields.containsKey("MESSAGE")) return of(fields);
                fields.clear();
                continue;
            }
            int sign = 0;
            while (sign < line.length && line[sign] != '=') sign++;
            String name = new String(line, 0, sign, UTF_8);
            fields.put(name, sign < line.length ? Arrays.copyOfRange(line, sign + 1, line.length) : binary(in));
        }
    }

    private static JournalEntry of(Map<String, byte[]> fields) {
        boolean open = text(fields, "CONTAINER_PARTIAL_MESSAGE").equals("true");
        byte[] message = fields.get("MESSAGE");
        byte[] line = Arrays.copyOf(message, message.length + (open ? 0 : 1));
        if (!open) line[message.length] = '\n';
        var stream = text(fields, "PRIORITY").equals("3") ? LogEntry.Stream.STDERR : LogEntry.Stream.STDOUT;
        Map<String, String> attributes = new TreeMap<>();
        fields.forEach((name, value) -> {
            if (!name.startsWith("_") && !WELL_KNOWN.contains(name)) attributes.put(name, new String(value, UTF_8));
        });
        long micros = Long.parseLong(text(fields, "__REALTIME_TIMESTAMP"));
        return new JournalEntry(text(fields, "__CURSOR"), new LogEntry(stream, line, JournalEntries.time(micros), attributes));
    }

    private static String text(Map<String, byte[]> fields, String name) {
        return new String(fields.getOrDefault(name, new byte[0]), UTF_8);
    }

    private static byte[] binary(InputStream in) throws IOException {
        byte[] length = in.readNBytes(8);
        if (length.length < 8) throw new EOFException();
        long bytes = ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (bytes < 0 || bytes > MOST_BYTES) throw new IOException("a field of " + bytes + " bytes");
        byte[] value = in.readNBytes((int) bytes);
        in.read(); // the newline after it
        return value;
    }

    private static byte[] line(InputStream in) throws IOException {
        var line = new ByteArrayOutputStream();
        for (int next = in.read(); next != '\n'; next = in.read()) {
            if (next < 0) return null;
            line.write(next);
        }
        return line.toByteArray();
    }
}
