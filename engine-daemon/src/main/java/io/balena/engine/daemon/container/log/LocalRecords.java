package io.balena.engine.daemon.container.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Map;

/// Docker's `local` log:
///
/// ```
/// length: 4 bytes, big endian │ LogEntry as protobuf │ the same length again
/// LogEntry { 1 source: string, 2 time in ns: int64, 3 line: bytes, 4 partial: bool, 5 { 1 last: bool, 2 id: string, 3 ordinal: int32 } }
/// ```
///
/// A line has no newline here; it ends unless it is partial and not the last of its pieces.
///
/// @see <a href="https://protobuf.dev/programming-guides/encoding/">protobuf, encoding</a>
final class LocalRecords implements LogFormat {
    private static final int LENGTH_BYTES = 4;
    /// Longest record: Docker's reader takes no more either.
    private static final int MOST_BYTES = 1_000_000;
    private static final int BLOCK_BYTES = 32 * 1024;
    private static final int NANOS = 1_000_000_000;

    @Override
    public EntryReader reader(InputStream in) {
        return new Reader(in);
    }

    private static final class Reader implements EntryReader {
        private final InputStream in;
        private byte[] buffer = new byte[BLOCK_BYTES];
        private int start;
        private int end;
        private long consumed;

        Reader(InputStream in) {
            this.in = in;
        }

        /// After what a power cut tore, the next record is looked for byte by byte. Only one that is whole counts there; of one that is
        /// still in the writing we cannot tell, so all of it is looked at again when there is more.
        @Override
        public LogEntry next() throws IOException {
            int passed = 0;
            while (has(LENGTH_BYTES)) {
                int length = ByteBuffer.wrap(buffer).getInt(start);
                boolean possible = length > 0 && length <= MOST_BYTES;
                boolean whole = possible && has(length + 2 * LENGTH_BYTES);
                if (possible && !whole && passed == 0) return null;
                LogEntry entry = null;
                if (whole && ByteBuffer.wrap(buffer).getInt(start + LENGTH_BYTES + length) == length) {
                    entry = parse(ByteBuffer.wrap(buffer, start + LENGTH_BYTES, length));
                }
                if (entry != null) {
                    start += length + 2 * LENGTH_BYTES;
                    consumed += passed + length + 2 * LENGTH_BYTES;
                    return entry;
                }
                start++;
                passed++;
            }
            return null;
        }

        @Override
        public long consumed() {
            return consumed;
        }

        private boolean has(int bytes) throws IOException {
            while (end - start < bytes) {
                if (start > 0) {
                    System.arraycopy(buffer, start, buffer, 0, end - start);
                    end -= start;
                    start = 0;
                }
                if (bytes > buffer.length) buffer = Arrays.copyOf(buffer, Math.max(bytes, 2 * buffer.length));
                int read = in.read(buffer, end, buffer.length - end);
                if (read <= 0) return false;
                end += read;
            }
            return true;
        }
    }

    /// @return null for what is no entry
    private static LogEntry parse(ByteBuffer record) {
        try {
            LogEntry.Stream stream = LogEntry.Stream.STDOUT;
            long nanos = 0;
            byte[] line = {};
            boolean open = false;
            while (record.hasRemaining()) {
                int tag = (int) number(record);
                switch (tag) {
                    case 1 << 3 | 2 -> stream = new String(bytes(record), UTF_8).equals("stderr") ? LogEntry.Stream.STDERR : LogEntry.Stream.STDOUT;
                    case 2 << 3 -> nanos = number(record);
                    case 3 << 3 | 2 -> line = bytes(record);
                    case 5 << 3 | 2 -> open = !isLast(ByteBuffer.wrap(bytes(record)));
                    default -> pass(record, tag & 7);
                }
            }
            byte[] text = Arrays.copyOf(line, line.length + (open ? 0 : 1));
            if (!open) text[line.length] = '\n';
            return new LogEntry(stream, text, Instant.ofEpochSecond(Math.floorDiv(nanos, NANOS), Math.floorMod(nanos, NANOS)), Map.of());
        } catch (BufferUnderflowException | IllegalArgumentException e) {
            return null;
        }
    }

    private static boolean isLast(ByteBuffer piece) {
        boolean last = false;
        while (piece.hasRemaining()) {
            int tag = (int) number(piece);
            if (tag == 1 << 3) last = number(piece) != 0;
            else pass(piece, tag & 7);
        }
        return last;
    }

    private static void pass(ByteBuffer record, int wireType) {
        switch (wireType) {
            case 0 -> number(record);
            case 2 -> bytes(record);
            default -> throw new IllegalArgumentException("no field of a log entry");
        }
    }

    private static long number(ByteBuffer from) {
        long value = 0;
        for (int shift = 0; shift < Long.SIZE; shift += 7) {
            byte next = from.get();
            value |= (long) (next & 0x7f) << shift;
            if (next >= 0) return value;
        }
        throw new IllegalArgumentException("a number of more than 64 bits");
    }

    private static byte[] bytes(ByteBuffer from) {
        long length = number(from);
        if (length < 0 || length > from.remaining()) throw new IllegalArgumentException("a field beyond its record");
        byte[] bytes = new byte[(int) length];
        from.get(bytes);
        return bytes;
    }

    /// Each record says its length at its end, too. A torn one at the end of the file cannot be passed that way.
    @Override
    public TailStart tail(FileChannel file, int entries) throws IOException {
        long end = file.size();
        long at = end;
        int found = 0;
        var length = ByteBuffer.allocate(LENGTH_BYTES);
        while (found < entries && at > 0) {
            long start = at >= 2 * LENGTH_BYTES ? at - 2 * LENGTH_BYTES - lengthAt(file, length, at - LENGTH_BYTES) : -1;
            if (start < 0 || start > at - 2 * LENGTH_BYTES || lengthAt(file, length, start) != at - 2 * LENGTH_BYTES - start) {
                return tailFromStart(file, entries);
            }
            at = start;
            found++;
        }
        return new TailStart(at, found);
    }

    private static int lengthAt(FileChannel file, ByteBuffer length, long at) throws IOException {
        length.clear();
        while (length.hasRemaining()) {
            if (file.read(length, at + length.position()) < 0) return -1;
        }
        return length.getInt(0);
    }

    private TailStart tailFromStart(FileChannel file, int entries) throws IOException {
        var starts = new ArrayDeque<Long>();
        file.position(0);
        EntryReader all = reader(Channels.newInputStream(file));
        long before = 0;
        while (all.next() != null) {
            starts.add(before);
            if (starts.size() > entries) starts.poll();
            before = all.consumed();
        }
        return starts.isEmpty() ? new TailStart(before, 0) : new TailStart(starts.peek(), starts.size());
    }
}
