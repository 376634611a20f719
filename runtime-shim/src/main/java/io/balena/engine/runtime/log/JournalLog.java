package io.balena.engine.runtime.log;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.runtime.loop.EventLoop;
import java.util.Map;
import java.util.TreeMap;

/// One container's log in systemd's journal, with the fields of Docker's journald driver: an entry for each line.
///
/// What the journal does not take yet is kept: one entry, and the rest of what was read with it.
///
/// @see <a href="https://systemd.io/JOURNAL_NATIVE_PROTOCOL/">Native Journal Protocol</a>
final class JournalLog extends LineLog {
    /// As long as Docker waits for a log to take the last words.
    private static final int CLOSE_MILLIS = 10_000;
    private static final byte[] STDERR = "stderr".getBytes(US_ASCII);
    private static final byte[] OUTPUT = "PRIORITY=6\nMESSAGE=".getBytes(US_ASCII);
    private static final byte[] ERROR = "PRIORITY=3\nMESSAGE=".getBytes(US_ASCII);

    private final JournalSender journal;
    private final byte[] fields;
    private final JsonText text;
    private final EventLoop loop;
    private byte[] unsent;
    private Runnable closed;

    /// @param fields of every entry
    /// @param bufferBytes what may be kept in mode non-blocking, 0 in mode blocking
    /// @param text lent by the shim for the time of a call
    JournalLog(Map<String, String> fields, int bufferBytes, JsonText text, JournalSender journal, EventLoop loop) {
        super(bufferBytes);
        this.fields = encode(fields);
        this.text = text;
        this.journal = journal;
        this.loop = loop;
    }

    @Override
    void record(Line line, byte[] in, int from, int to, Piece piece) {
        byte[] head = line.name()[3] == STDERR[3] ? ERROR : OUTPUT;
        text.clear();
        text.reserve(head.length + to - from + 1 + fields.length);
        text.append(head);
        text.append(in, from, to);
        text.append((byte) '\n');
        text.append(fields);
        if (piece != null) {
            byte[] more = describe(piece).getBytes(US_ASCII);
            text.reserve(more.length);
            text.append(more);
        }
        if (!journal.send(text.bytes(), text.length(), this::goOn)) {
            unsent = text.toBytes();
        }
        text.clear();
    }

    private static String describe(Piece piece) {
        return "CONTAINER_PARTIAL_ID=" + piece.id() + "\nCONTAINER_PARTIAL_ORDINAL=" + piece.ordinal() + "\nCONTAINER_PARTIAL_LAST="
                + piece.isLast() + "\n" + (piece.isLast() ? "" : "CONTAINER_PARTIAL_MESSAGE=true\n");
    }

    @Override
    void flush() {}

    @Override
    boolean isStuck() {
        return unsent != null;
    }

    private void goOn() {
        if (unsent == null || !journal.send(unsent, unsent.length, this::goOn)) return;
        unsent = null;
        resume();
        if (unsent == null && closed != null) finish();
    }

    @Override
    public void close(Runnable whenClosed) {
        closed = whenClosed;
        if (unsent == null) finish();
        else loop.after(CLOSE_MILLIS, this::finish);
    }

    private void finish() {
        if (closed == null) return;
        Runnable then = closed;
        closed = null;
        unsent = null;
        then.run();
    }

    /// `NAME=value`, or for a value of several lines `NAME`, its length in 8 bytes, little endian, and the value.
    private static byte[] encode(Map<String, String> fields) {
        JsonText encoded = new JsonText(512);
        for (Map.Entry<String, String> field : new TreeMap<>(fields).entrySet()) {
            byte[] name = field.getKey().getBytes(US_ASCII);
            byte[] value = field.getValue().getBytes(UTF_8);
            boolean plain = JsonText.newline(value, 0, value.length) == value.length;
            encoded.reserve(name.length + value.length + 10);
            encoded.append(name);
            if (plain) {
                encoded.append((byte) '=');
            } else {
                encoded.append((byte) '\n');
                for (int i = 0; i < 8; i++) encoded.append((byte) ((long) value.length >> 8 * i));
            }
            encoded.append(value);
            encoded.append((byte) '\n');
        }
        return encoded.toBytes();
    }
}
