package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.zip.GZIPOutputStream;

/// Records what a tar holds besides the contents of its files, so that it can be put together again, byte for byte.
///
/// ```
/// {"type":2,"payload":"<base64 of headers and padding>","position":0}
/// {"type":1,"name":"etc/hosts","size":6,"payload":"<base64 of the content's CRC-64>","position":1}
/// ```
/// A file without content has no size and the payload `null`; a name that is not UTF-8 stands in base64 in `name_raw`.
///
/// The content of a sparse file is recorded among the headers, in pieces: a line about a file stands for all of it, holes
/// included, which is not what the tar has. So Docker can put the tar together again, as it cannot from a record of its own. The
/// record grows by the parts that the tar stores, never by holes; archivers of images write no sparse files.
///
/// @see <a href="https://github.com/vbatts/tar-split">tar-split, whose format this is</a>
final class TarSplitWriter implements TarParser.Visitor, AutoCloseable {
    /// Segments are cut here, to keep what a reader needs in memory small.
    private static final int MAX_SEGMENT = 1024 * 1024;
    // The record is mostly zeros in base64; a higher level costs more time than the disk space is worth.
    private static final int LEVEL = 1;
    private static final byte[] DOT = {'.'};

    private static final int FLUSH_AT = 64 * 1024;

    private final OutputStream out;
    private final CharsetDecoder utf8 = StandardCharsets.UTF_8.newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
    private final Base64.Encoder base64 = Base64.getEncoder();
    private final Crc64 crc = new Crc64();
    private final NameSet names = new NameSet();
    private byte[] segment = new byte[8192];
    private int segmentLength;
    private byte[] text = new byte[2 * FLUSH_AT];
    private int textLength;
    private long position;
    private TarEntry pending;
    private long pendingContent;

    TarSplitWriter(OutputStream file) throws IOException {
        out = new Gzip(file);
    }

    private static final class Gzip extends GZIPOutputStream {
        Gzip(OutputStream out) throws IOException {
            super(out, 32 * 1024);
            def.setLevel(LEVEL);
        }
    }

    @Override
    public void raw(byte[] bytes, int from, int to) throws IOException {
        while (from < to) {
            if (segmentLength >= MAX_SEGMENT) writeSegment();
            int piece = Math.min(to - from, MAX_SEGMENT - segmentLength);
            if (segmentLength + piece > segment.length) {
                int doubled = Math.max(segmentLength + piece, 2 * segment.length);
                segment = Arrays.copyOf(segment, Math.min(MAX_SEGMENT, doubled));
            }
            System.arraycopy(bytes, from, segment, segmentLength, piece);
            segmentLength += piece;
            from += piece;
        }
    }

    @Override
    public void entry(TarEntry entry) throws IOException {
        // Put together from the files on disk, a tar cannot have two contents of one name.
        if (!names.add(entry.isDot ? DOT : entry.path)) {
            throw new InvalidLayerException("duplicates of file paths not supported: " + entry);
        }
        if (segmentLength > 0) writeSegment();
        crc.reset();
        if (entry.size == 0 || entry.sparse) {
            writeFile(entry, 0, 0);
        } else {
            pending = entry;
            pendingContent = entry.size;
        }
    }

    @Override
    public void content(byte[] bytes, int from, int to, long offset) throws IOException {
        if (pending == null) return;
        crc.update(bytes, from, to);
        pendingContent -= to - from;
        if (pendingContent == 0) {
            writeFile(pending, pending.size, crc.value());
            pending = null;
        }
    }

    /// Writes what is left. As Docker does, it ends with a segment, be it empty.
    void finish() throws IOException {
        writeSegment();
        flush();
        close();
    }

    @Override
    public void close() throws IOException {
        out.close();
    }

    private void writeSegment() throws IOException {
        byte[] encoded = base64.encode(Arrays.copyOf(segment, segmentLength));
        segmentLength = 0;
        reserve(encoded.length + 64);
        append("{\"type\":2,\"payload\":\"");
        append(encoded);
        append("\",\"position\":");
        endLine();
    }

    private void writeFile(TarEntry entry, long size, long checksum) throws IOException {
        reserve(6 * entry.name.length + 128);
        append("{\"type\":1");
        appendName(entry.name);
        if (size > 0) {
            append(",\"size\":");
            append(Long.toString(size));
            append(",\"payload\":\"");
            append(base64.encode(ByteBuffer.allocate(8).putLong(checksum).array()));
            append("\",\"position\":");
        } else {
            append(",\"payload\":null,\"position\":");
        }
        endLine();
    }

    private void appendName(byte[] name) {
        if (name.length == 0) return;
        if (isUtf8(name)) {
            append(",\"name\":\"");
            for (byte b : name) appendEscaped(b);
        } else {
            append(",\"name_raw\":\"");
            append(base64.encode(name));
        }
        append("\"");
    }

    private void appendEscaped(byte b) {
        if (b == '"' || b == '\\') {
            text[textLength++] = '\\';
            text[textLength++] = b;
        } else if (b >= 0 && b < ' ') {
            append(String.format("\\u%04x", b));
        } else {
            text[textLength++] = b;
        }
    }

    private boolean isUtf8(byte[] name) {
        boolean ascii = true;
        for (byte b : name) ascii &= b >= 0;
        if (ascii) return true;
        try {
            utf8.reset().decode(ByteBuffer.wrap(name));
            return true;
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    private void append(byte[] bytes) {
        System.arraycopy(bytes, 0, text, textLength, bytes.length);
        textLength += bytes.length;
    }

    private void append(String ascii) {
        append(ascii.getBytes(ISO_8859_1));
    }

    private void endLine() {
        append(Long.toString(position++));
        append("}\n");
    }

    private void reserve(int bytes) throws IOException {
        if (textLength >= FLUSH_AT) flush();
        if (textLength + bytes > text.length) text = Arrays.copyOf(text, textLength + bytes);
    }

    private void flush() throws IOException {
        out.write(text, 0, textLength);
        textLength = 0;
    }
}
