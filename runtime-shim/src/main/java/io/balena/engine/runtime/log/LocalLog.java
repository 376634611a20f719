package io.balena.engine.runtime.log;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.wire.Message;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.time.Instant;

/// One container's log in the form of Docker's `local` driver, byte for byte:
///
/// ```
/// length: 4 bytes, big endian │ LogEntry as protobuf │ the same length again
/// LogEntry { 1 source: string, 2 time in ns: int64, 3 line: bytes, 4 partial: bool, 5 { 1 last: bool, 2 id: string, 3 ordinal: int32 } }
/// ```
///
/// Unlike in json-file, invalid UTF-8 stays as it is, and lines have no newline.
final class LocalLog extends FileLog {
    /// Longer than any record: 16 KiB and what is around them.
    private static final int MAX_RECORD_BYTES = MAX_LINE_BYTES + 256;

    LocalLog(RotatedFile file, JsonText text) {
        super(file, text);
    }

    /// A half record would hide all that follow it, also from Docker's reader: it is cut off.
    static final class Records implements RotatedFile.Records {
        @Override
        public int whole(byte[] bytes, int length) {
            int whole = 0;
            while (length - whole >= 4) {
                int next = whole + Message.readInt(bytes, whole) + 8;
                if (next > length) break;
                whole = next;
            }
            return whole;
        }

        @Override
        public long mend(Fd file, long size, Path path, NativeBuffer buffer) throws IOException {
            if (lastIsWhole(path, size)) return size;
            long whole = wholeRecords(path);
            file.truncate(whole);
            return whole;
        }

        private static boolean lastIsWhole(Path path, long size) throws IOException {
            if (size < 8) return false;
            try (var in = new RandomAccessFile(path.toFile(), "r")) {
                in.seek(size - 4);
                int length = in.readInt();
                if (length <= 0 || length > size - 8) return false;
                in.seek(size - 8 - length);
                return in.readInt() == length;
            }
        }

        private static long wholeRecords(Path path) throws IOException {
            long whole = 0;
            try (var in = new DataInputStream(new BufferedInputStream(new FileInputStream(path.toFile()), 64 << 10))) {
                while (true) {
                    int length = in.readInt();
                    if (length <= 0) return whole;
                    in.skipNBytes(length);
                    if (in.readInt() != length) return whole;
                    whole += length + 8;
                }
            } catch (EOFException e) {
                return whole;
            }
        }
    }

    @Override
    void append(JsonText text, Line line, byte[] in, int from, int to, Piece piece) {
        text.reserve(MAX_RECORD_BYTES);
        Instant at = piece == null ? now() : piece.since();
        int start = text.length();
        text.appendInt(0);
        text.appendField(1, line.name(), 0, line.name().length);
        text.appendNumber(2, at.getEpochSecond() * 1_000_000_000 + at.getNano());
        if (to > from) text.appendField(3, in, from, to);
        if (piece != null) {
            text.appendNumber(4, 1);
            byte[] description = describe(piece);
            text.appendField(5, description, 0, description.length);
        }
        int length = text.length() - start - 4;
        text.appendInt(length);
        text.putInt(start, length);
    }

    private static byte[] describe(Piece piece) {
        JsonText description = new JsonText(96);
        byte[] id = piece.id().getBytes(US_ASCII);
        if (piece.isLast()) description.appendNumber(1, 1);
        description.appendField(2, id, 0, id.length);
        description.appendNumber(3, piece.ordinal());
        return description.toBytes();
    }
}
