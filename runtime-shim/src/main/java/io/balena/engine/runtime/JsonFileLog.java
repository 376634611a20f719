package io.balena.engine.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.linux.OpenFlags;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;

/// One container's log in the form of Docker's json-file driver, byte for byte:
///
/// ```
/// {"log":"a line\n","stream":"stdout","attrs":{"label":"value"},"time":"2026-11-22T13:25:10.272222093Z"}
/// ```
///
/// A line longer than 16 KiB is recorded in pieces, of which only the last has its `\n`. Lines that were read at once carry the
/// same time. A file that has reached its size is renamed to `.1`, that one to `.2` and so on before the next line is written, so
/// that a reader who follows finds whole lines only, and the new file under the old name.
///
/// Nothing is synced. When the disk is full, lines are dropped whole, and the container goes on; it is tried again with every
/// output.
final class JsonFileLog {
    static final int MAX_LINE_BYTES = 16 << 10;
    private static final int MODE = 0640;
    private static final byte[] HEAD = "{\"log\":\"".getBytes(UTF_8);

    private final Stdio.Log settings;
    private final byte[] attributes;
    private final JsonText text;
    private final NativeBuffer buffer;
    private final LogClock clock;
    private final Diagnostics diagnostics;

    private Fd file;
    /// Bytes in the file, all of them whole lines.
    private long size;
    private long dropped;

    /// @param text and `buffer`, lent by the shim for the time of a call: one pair serves all containers
    JsonFileLog(Stdio.Log settings, JsonText text, NativeBuffer buffer, LogClock clock, Diagnostics diagnostics)
            throws IOException {
        this.settings = settings;
        this.attributes = attributes(settings.attributes());
        this.text = text;
        this.buffer = buffer;
        this.clock = clock;
        this.diagnostics = diagnostics;
        open();
    }

    /// One of the streams that flow into the log, with its unfinished line.
    static final class Stream {
        private final byte[] name;
        private byte[] unfinished = new byte[0];
        private int length;
        /// Time of the first piece of a line that was cut; null between lines.
        private byte[] cutSince;

        /// @param name `stdout` or `stderr`
        Stream(String name) {
            this.name = name.getBytes(UTF_8);
        }

        private void keep(byte[] in, int from, int to) {
            int more = to - from;
            if (length + more > unfinished.length) {
                byte[] larger = new byte[Math.min(MAX_LINE_BYTES, Math.max(2 * unfinished.length, length + more))];
                System.arraycopy(unfinished, 0, larger, 0, length);
                unfinished = larger;
            }
            System.arraycopy(in, from, unfinished, length, more);
            length += more;
        }
    }

    /// Records what the process has written.
    void write(Stream stream, byte[] in, int length) {
        Tail tail = new Tail(stream, clock.now());
        int at = stream.length == 0 ? 0 : finishLine(stream, in, length, tail);
        int linesEnd = at;
        for (int i = length; i > at; i--) {
            if (in[i - 1] == '\n') {
                linesEnd = i;
                break;
            }
        }
        while (at < linesEnd || length - at >= MAX_LINE_BYTES) at = record(in, at, length, tail);
        if (at < length) stream.keep(in, at, length);
        flush();
    }

    /// Records the last line of a stream that has ended, which may have no newline.
    void end(Stream stream) {
        if (stream.length > 0) {
            record(stream.unfinished, 0, stream.length, new Tail(stream, clock.now()));
            stream.length = 0;
        }
        flush();
    }

    void close() {
        if (dropped > 0) diagnostics.warning("log " + settings.file() + " ends with " + dropped + " bytes dropped");
        if (file != null) file.close();
        file = null;
    }

    /// Adds to the line that was begun, and records it when that ends it.
    ///
    /// @return how much of `in` belonged to it
    private int finishLine(Stream stream, byte[] in, int length, Tail tail) {
        int most = Math.min(length, MAX_LINE_BYTES - stream.length);
        int end = 0;
        while (end < most && in[end] != '\n') end++;
        boolean ended = end < most;
        stream.keep(in, 0, end);
        if (!ended && stream.length < MAX_LINE_BYTES) return end;
        begin();
        text.appendLine(stream.unfinished, 0, stream.length);
        finish(tail, ended);
        stream.length = 0;
        stream.unfinished = new byte[0];
        return ended ? end + 1 : end;
    }

    /// Records one line, or the first 16 KiB of it.
    ///
    /// @return where the next begins
    private int record(byte[] in, int from, int to, Tail tail) {
        begin();
        int end = Math.min(to, from + MAX_LINE_BYTES);
        int newline = text.appendLine(in, from, end);
        boolean ended = newline < end;
        finish(tail, ended);
        return ended ? newline + 1 : newline;
    }

    private void begin() {
        if (settings.maxBytes() > 0 && size + text.length() >= settings.maxBytes()) {
            flush();
            if (size >= settings.maxBytes()) rotate();
        }
        if (text.length() > buffer.capacity()) flush();
        text.reserve(HEAD.length + MAX_LINE_BYTES * JsonText.GROWTH);
        text.append(HEAD);
    }

    private void finish(Tail tail, boolean lineEnded) {
        byte[] rest = tail.of(lineEnded);
        text.reserve(rest.length);
        text.append(rest);
    }

    /// What follows the text of a line. The same for all lines that were read at once.
    private final class Tail {
        private final Stream stream;
        private final byte[] now;
        private byte[] afterLine;

        Tail(Stream stream, byte[] now) {
            this.stream = stream;
            this.now = now;
        }

        byte[] of(boolean lineEnded) {
            if (stream.cutSince == null && lineEnded) {
                if (afterLine == null) afterLine = build("\\n", now);
                return afterLine;
            }
            // All pieces of a line bear the time of its first.
            if (stream.cutSince == null) stream.cutSince = now;
            byte[] tail = build(lineEnded ? "\\n" : "", stream.cutSince);
            if (lineEnded) stream.cutSince = null;
            return tail;
        }

        private byte[] build(String newline, byte[] time) {
            JsonText tail = new JsonText(64 + attributes.length + time.length);
            tail.append((newline + "\",\"stream\":\"").getBytes(UTF_8));
            tail.append(stream.name);
            tail.append("\"".getBytes(UTF_8));
            tail.append(attributes);
            tail.append(",\"time\":\"".getBytes(UTF_8));
            tail.append(time);
            tail.append("\"}\n".getBytes(UTF_8));
            byte[] result = new byte[tail.length()];
            System.arraycopy(tail.bytes(), 0, result, 0, result.length);
            return result;
        }
    }

    private void flush() {
        int length = text.length();
        if (length == 0) return;
        int written = 0;
        try {
            if (file == null) open();
            while (written < length) {
                int piece = Math.min(length - written, buffer.capacity());
                buffer.put(0, text.bytes(), written, piece);
                int count = buffer.write(file, 0, piece);
                if (count > 0) written += count;
            }
            size += length;
            if (dropped > 0) diagnostics.info("log " + settings.file() + " goes on, " + dropped + " bytes were dropped");
            dropped = 0;
        } catch (IOException e) {
            drop(written, length, e);
        }
        text.clear();
    }

    /// Leaves whole lines only of what was written before the disk was full.
    private void drop(int written, int length, IOException cause) {
        if (dropped == 0) diagnostics.error("output is dropped, not logged to " + settings.file(), cause);
        int whole = written;
        while (whole > 0 && text.bytes()[whole - 1] != '\n') whole--;
        dropped += length - whole;
        size += whole;
        if (file == null || whole == written) return;
        try {
            file.truncate(size);
        } catch (ErrnoException e) {
            diagnostics.error("cannot cut a half line from " + settings.file(), e);
        }
    }

    private void open() throws IOException {
        file = Fd.open(settings.file(), OpenFlags.WRONLY | OpenFlags.APPEND | OpenFlags.CREAT, MODE);
        size = file.size();
        // A shim or a machine that died may have left half a line: the next one must not be glued to it.
        if (size > 0 && !endsWithNewline(settings.file().toFile(), size)) {
            buffer.put(0, new byte[] {'\n'}, 0, 1);
            size += Math.max(0, buffer.write(file, 0, 1));
        }
    }

    private static boolean endsWithNewline(File log, long size) throws IOException {
        try (var in = new FileInputStream(log)) {
            in.skipNBytes(size - 1);
            return in.read() == '\n';
        }
    }

    /// Docker's order: the oldest goes first, so that no name is ever taken twice. With one file, it starts anew.
    private void rotate() {
        File current = settings.file().toFile();
        if (settings.maxFiles() < 2) {
            try {
                file.truncate(0);
                size = 0;
            } catch (ErrnoException e) {
                diagnostics.error("cannot empty " + current, e);
            }
            return;
        }
        int oldest = 1;
        while (oldest < settings.maxFiles() - 1 && new File(current + "." + oldest).exists()) oldest++;
        for (int i = oldest; i > 1; i--) new File(current + "." + (i - 1)).renameTo(new File(current + "." + i));
        if (!current.renameTo(new File(current + ".1"))) {
            diagnostics.warning("cannot rotate " + current);
            return;
        }
        file.close();
        file = null;
        size = 0;
        try {
            open();
        } catch (IOException e) {
            diagnostics.error("cannot open a new " + current, e); // flush() tries again
        }
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
        byte[] result = new byte[json.length()];
        System.arraycopy(json.bytes(), 0, result, 0, result.length);
        return result;
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
            json.appendLine(raw, from, end);
            if (end == raw.length) break;
            json.append((raw[end] == '\n' ? "\\n" : "\\t").getBytes(UTF_8));
            from = end + 1;
        }
        json.append("\"".getBytes(UTF_8));
    }
}
