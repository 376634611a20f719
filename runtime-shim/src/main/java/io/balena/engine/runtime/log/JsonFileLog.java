package io.balena.engine.runtime.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.loop.LogClock;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;

/// One container's log in the form of Docker's json-file driver, byte for byte:
///
/// ```
/// {"log":"a line\n","stream":"stdout","attrs":{"label":"value"},"time":"2026-11-22T13:25:10.272222093Z"}
/// ```
///
/// Of the pieces of a long line only the last has its `\n`.
final class JsonFileLog extends FileLog {
    private static final byte[] HEAD = "{\"log\":\"".getBytes(UTF_8);

    private final byte[] attributes;
    private final LogClock clock;
    private byte[] afterLine;
    private Line afterLineOf;
    private Instant afterLineAt;

    JsonFileLog(RotatedFile file, Map<String, String> attributes, JsonText text, LogClock clock) {
        super(file, text);
        this.attributes = attributes(attributes);
        this.clock = clock;
    }

    /// Lines, of which a dead shim may have left half a one: the next must not be glued to it.
    static final class Records implements RotatedFile.Records {
        @Override
        public int whole(byte[] bytes, int length) {
            int whole = length;
            while (whole > 0 && bytes[whole - 1] != '\n') whole--;
            return whole;
        }

        @Override
        public long mend(Fd file, long size, Path path, NativeBuffer buffer) throws IOException {
            if (endsWithNewline(path.toFile(), size)) return size;
            buffer.put(0, new byte[] {'\n'}, 0, 1);
            return size + Math.max(0, buffer.write(file, 0, 1));
        }

        private static boolean endsWithNewline(File log, long size) throws IOException {
            try (var in = new FileInputStream(log)) {
                in.skipNBytes(size - 1);
                return in.read() == '\n';
            }
        }
    }

    @Override
    void append(JsonText text, Line line, byte[] in, int from, int to, Piece piece) {
        text.reserve(HEAD.length + (to - from) * JsonText.GROWTH);
        text.append(HEAD);
        text.appendEscaped(in, from, to);
        byte[] rest = piece == null ? afterLine(line) : tail(line, piece.isLast(), piece.since());
        text.reserve(rest.length);
        text.append(rest);
    }

    /// What follows the text of a line: the same for all lines that were read at once.
    private byte[] afterLine(Line line) {
        if (afterLineOf != line || afterLineAt != now()) {
            afterLineOf = line;
            afterLineAt = now();
            afterLine = tail(line, true, now());
        }
        return afterLine;
    }

    private byte[] tail(Line line, boolean lineEnded, Instant at) {
        byte[] time = clock.format(at.getEpochSecond(), at.getNano());
        JsonText tail = new JsonText(64 + attributes.length + time.length);
        tail.append(((lineEnded ? "\\n" : "") + "\",\"stream\":\"").getBytes(UTF_8));
        tail.append(line.name());
        tail.append("\"".getBytes(UTF_8));
        tail.append(attributes);
        tail.append(",\"time\":\"".getBytes(UTF_8));
        tail.append(time);
        tail.append("\"}\n".getBytes(UTF_8));
        return tail.toBytes();
    }

    /// `,"attrs":{…}` with sorted names, or nothing.
    private static byte[] attributes(Map<String, String> attributes) {
        if (attributes.isEmpty()) return new byte[0];
        JsonText json = new JsonText(256);
        json.append(",\"attrs\":{".getBytes(UTF_8));
        boolean first = true;
        for (Map.Entry<String, String> attribute : new TreeMap<>(attributes).entrySet()) {
            json.reserve(8);
            if (!first) json.append(",".getBytes(UTF_8));
            first = false;
            appendString(json, attribute.getKey());
            json.append(":".getBytes(UTF_8));
            appendString(json, attribute.getValue());
        }
        json.reserve(1);
        json.append("}".getBytes(UTF_8));
        return json.toBytes();
    }

    // Docker writes attributes with Go's own encoder, which has short forms for newline and tab.
    private static void appendString(JsonText json, String value) {
        byte[] raw = value.getBytes(UTF_8);
        json.reserve(raw.length * JsonText.GROWTH + 8);
        json.append("\"".getBytes(UTF_8));
        int from = 0;
        while (true) {
            int end = from;
            while (end < raw.length && raw[end] != '\n' && raw[end] != '\t') end++;
            json.appendEscaped(raw, from, end);
            if (end == raw.length) break;
            json.append((raw[end] == '\n' ? "\\n" : "\\t").getBytes(UTF_8));
            from = end + 1;
        }
        json.append("\"".getBytes(UTF_8));
    }
}
