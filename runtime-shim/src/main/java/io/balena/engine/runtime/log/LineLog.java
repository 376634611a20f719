package io.balena.engine.runtime.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileInputStream;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayDeque;

/// A log of lines. As with Docker, a line longer than 16 KiB is recorded in pieces, which bear the time of the first; a last line
/// without its newline is such a piece, too. Lines that were read at once carry the same time.
abstract class LineLog implements LogSink {
    static final int MAX_LINE_BYTES = 16 << 10;

    private final int bufferBytes;
    private final ArrayDeque<Rest> rests = new ArrayDeque<>();
    private int restBytes;
    private Runnable room = () -> {};
    private Instant now;

    LineLog() {
        this(0);
    }

    /// @param bufferBytes what is kept while the log takes nothing before lines are dropped; 0 when the container shall wait instead
    LineLog(int bufferBytes) {
        this.bufferBytes = bufferBytes;
    }

    /// What was read when the log took nothing more; no bytes at the end of a line that has no newline.
    private record Rest(Line line, byte[] bytes, Instant at) {}

    /// One of the streams, with its unfinished line.
    static final class Line implements LogSink.Source {
        private final byte[] name;
        private byte[] unfinished = new byte[0];
        private int length;
        private Piece piece;
        /// The beginning of the line was dropped, so its end is, too.
        private boolean dropping;

        private Line(String name) {
            this.name = name.getBytes(UTF_8);
        }

        /// `stdout` or `stderr`
        byte[] name() {
            return name;
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

    /// Where in a line that was cut we are.
    static final class Piece {
        private static final char[] HEX = "0123456789abcdef".toCharArray();
        private final Instant since;
        private String id;
        private int ordinal;
        private boolean last;

        private Piece(Instant since) {
            this.since = since;
        }

        /// Of the first piece.
        Instant since() {
            return since;
        }

        /// The same for all pieces of a line: 64 hexadecimal digits.
        String id() {
            if (id == null) id = randomId();
            return id;
        }

        /// From 1 on.
        int ordinal() {
            return ordinal;
        }

        /// It ends with the line's newline.
        boolean isLast() {
            return last;
        }

        private static String randomId() {
            byte[] random = new byte[32];
            try (var source = new FileInputStream("/dev/urandom")) {
                source.readNBytes(random, 0, random.length);
            } catch (IOException e) {
                throw new IllegalStateException("no /dev/urandom", e);
            }
            char[] digits = new char[64];
            for (int i = 0; i < 64; i++) digits[i] = HEX[random[i / 2] >> (i % 2 == 0 ? 4 : 0) & 0xf];
            return new String(digits);
        }
    }

    @Override
    public final Line source(String name) {
        return new Line(name);
    }

    @Override
    public final void write(LogSink.Source source, byte[] in, int length) {
        Line line = (Line) source;
        now = Instant.now();
        if (isStuck()) keepRest(line, in, 0, length);
        else cut(line, in, line.dropping ? afterDropped(line, in, length) : 0, length);
        flush();
    }

    @Override
    public final void end(LogSink.Source source) {
        Line line = (Line) source;
        now = Instant.now();
        if (isStuck()) rests.add(new Rest(line, new byte[0], now));
        else recordUnfinished(line);
        flush();
    }

    private void recordUnfinished(Line line) {
        if (line.length > 0) piece(line, line.unfinished, 0, line.length, false);
        line.length = 0;
        line.piece = null;
    }

    @Override
    public final boolean isFull() {
        return bufferBytes == 0 && isStuck();
    }

    @Override
    public final void whenRoom(Runnable task) {
        room = task;
    }

    /// What was recorded last has not been taken yet.
    boolean isStuck() {
        return false;
    }

    /// Goes on with what was kept, once what was recorded last has been taken.
    final void resume() {
        while (!isStuck() && !rests.isEmpty()) {
            Rest rest = rests.poll();
            restBytes -= rest.bytes.length;
            now = rest.at;
            if (rest.bytes.length == 0) recordUnfinished(rest.line);
            else cut(rest.line, rest.bytes, 0, rest.bytes.length);
        }
        flush();
        if (!isStuck()) room.run();
    }

    private void keepRest(Line line, byte[] in, int from, int to) {
        int at = line.dropping ? afterDropped(line, in, to) : from;
        if (at == to) return;
        if (bufferBytes > 0 && restBytes + to - at > bufferBytes) {
            rests.add(new Rest(line, new byte[0], now)); // nothing may be glued to what was kept of the line
            line.dropping = true;
            return;
        }
        byte[] rest = new byte[to - at];
        System.arraycopy(in, at, rest, 0, rest.length);
        restBytes += rest.length;
        rests.add(new Rest(line, rest, now));
    }

    private static int afterDropped(Line line, byte[] in, int to) {
        int newline = JsonText.newline(in, 0, to);
        if (newline == to) return to;
        line.dropping = false;
        return newline + 1;
    }

    /// The time of what is being written.
    final Instant now() {
        return now;
    }

    /// Records `in[from, to)`, without the newline.
    ///
    /// @param piece null for a whole line
    abstract void record(Line line, byte[] in, int from, int to, Piece piece);

    /// Everything that was read at once has been recorded.
    abstract void flush();

    private void cut(Line line, byte[] in, int from, int to) {
        int at = line.length == 0 ? from : finishLine(line, in, from, to);
        while (at < to) {
            if (isStuck()) {
                keepFirst(line, in, at, to);
                return;
            }
            int most = Math.min(to, at + MAX_LINE_BYTES);
            int newline = JsonText.newline(in, at, most);
            if (newline < most) {
                lineEnded(line, in, at, newline);
                at = newline + 1;
            } else if (most - at == MAX_LINE_BYTES) {
                piece(line, in, at, most, false);
                at = most;
            } else {
                line.keep(in, at, to);
                return;
            }
        }
    }

    /// Of what is being cut: before whatever was read later.
    private void keepFirst(Line line, byte[] in, int from, int to) {
        byte[] rest = new byte[to - from];
        System.arraycopy(in, from, rest, 0, rest.length);
        restBytes += rest.length;
        rests.addFirst(new Rest(line, rest, now));
    }

    /// Adds to the line that was begun, and records it when that ends it.
    ///
    /// @return how far it went
    private int finishLine(Line line, byte[] in, int from, int to) {
        int most = Math.min(to, from + MAX_LINE_BYTES - line.length);
        int end = JsonText.newline(in, from, most);
        line.keep(in, from, end);
        boolean ended = end < most;
        if (!ended && line.length < MAX_LINE_BYTES) return end;
        byte[] whole = line.unfinished;
        int length = line.length;
        line.unfinished = new byte[0];
        line.length = 0;
        if (ended) lineEnded(line, whole, 0, length);
        else piece(line, whole, 0, length, false);
        return ended ? end + 1 : end;
    }

    private void lineEnded(Line line, byte[] in, int from, int to) {
        if (line.piece == null) record(line, in, from, to, null);
        else piece(line, in, from, to, true);
    }

    private void piece(Line line, byte[] in, int from, int to, boolean last) {
        if (line.piece == null) line.piece = new Piece(now);
        Piece piece = line.piece;
        piece.ordinal++;
        piece.last = last;
        if (last) line.piece = null;
        record(line, in, from, to, piece);
    }
}
