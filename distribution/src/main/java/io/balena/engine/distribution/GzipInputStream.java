package io.balena.engine.distribution;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;

/// Reads gzip: all members, one after the other, each with its checksum.
///
/// The JDK's own asks `available()` whether another member follows, which a stream from the network cannot answer, and inflates from
/// 512 bytes at a time.
///
/// ```
/// 1f 8b 08 flags mtime(4) xfl os [extra] [name 0] [comment 0] [crc16] deflate… crc32(4) size(4)
/// ```
/// @see <a href="https://www.rfc-editor.org/rfc/rfc1952">RFC 1952</a>
final class GzipInputStream extends InputStream {
    private static final int HEADER_CRC = 2;
    private static final int EXTRA = 4;
    private static final int NAME = 8;
    private static final int COMMENT = 16;

    private final InputStream packed;
    /// What was read last, behind the end of what was read before it: the inflater may give some of that back.
    private final byte[] input = new byte[64 << 10];
    private int position = RawInflater.READ_AHEAD;
    private int limit = position;

    private final RawInflater inflater;
    private final CRC32 checksum = new CRC32();
    private long memberSize;
    private boolean betweenMembers = true;
    private boolean anyMember;
    private boolean ended;
    private boolean closed;

    GzipInputStream(InputStream packed) {
        this(packed, RawInflater.open());
    }

    /// @param inflater closed by this
    GzipInputStream(InputStream packed, RawInflater inflater) {
        this.packed = packed;
        this.inflater = inflater;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        if (length == 0) return 0;
        while (!ended) {
            if (betweenMembers && !beginMember()) break;
            int produced = inflate(buffer, offset, length);
            checksum.update(buffer, offset, produced);
            memberSize += produced;
            if (inflater.finished()) endMember();
            if (produced > 0) return produced;
        }
        return -1;
    }

    @Override
    public void close() throws IOException {
        if (!closed) inflater.close();
        closed = true;
        ended = true;
        packed.close();
    }

    private int inflate(byte[] buffer, int offset, int length) throws IOException {
        try {
            while (true) {
                int produced = inflater.inflate(buffer, offset, length);
                if (produced > 0 || inflater.finished()) return produced;
                if (!fill()) throw new CorruptStreamException("gzip: unexpected EOF", new EOFException());
                inflater.setInput(input, position, limit);
                position = limit;
            }
        } catch (DataFormatException e) {
            throw new CorruptStreamException("gzip: invalid data: " + e.getMessage(), e);
        }
    }

    /// @return false at the end of the stream
    private boolean beginMember() throws IOException {
        if (position == limit && !fill()) {
            if (!anyMember) throw new CorruptStreamException("gzip: unexpected EOF", new EOFException());
            ended = true;
            return false;
        }
        if (next() != 0x1f || next() != 0x8b || next() != 8) throw new CorruptStreamException("gzip: invalid header");
        int flags = next();
        skip(6);
        if ((flags & EXTRA) != 0) skip(next() | next() << 8);
        if ((flags & NAME) != 0) skipText();
        if ((flags & COMMENT) != 0) skipText();
        if ((flags & HEADER_CRC) != 0) skip(2);
        inflater.setInput(input, position, limit);
        position = limit;
        betweenMembers = false;
        anyMember = true;
        return true;
    }

    private void endMember() throws IOException {
        position = limit - inflater.remaining();
        boolean intact = fourBytes() == checksum.getValue() && fourBytes() == (memberSize & 0xffffffffL);
        if (!intact) throw new CorruptStreamException("gzip: invalid checksum");
        inflater.reset();
        checksum.reset();
        memberSize = 0;
        betweenMembers = true;
    }

    private long fourBytes() throws IOException {
        return next() | next() << 8 | next() << 16 | (long) next() << 24;
    }

    private void skip(int bytes) throws IOException {
        for (int i = 0; i < bytes; i++) next();
    }

    private void skipText() throws IOException {
        while (next() != 0) {}
    }

    private int next() throws IOException {
        if (position == limit && !fill()) throw new CorruptStreamException("gzip: unexpected EOF", new EOFException());
        return input[position++] & 0xff;
    }

    private boolean fill() throws IOException {
        System.arraycopy(input, limit - RawInflater.READ_AHEAD, input, 0, RawInflater.READ_AHEAD);
        position = RawInflater.READ_AHEAD;
        limit = position;
        int read = packed.read(input, position, input.length - position);
        limit += Math.max(0, read);
        return read > 0;
    }
}
