package io.balena.engine.graphdriver;

import java.io.ByteArrayOutputStream;
import java.io.IOException;

/// Reads a tar that is pushed into it: v7, ustar, GNU (long names, base-256 numbers, sparse files) and PAX (with xattrs and
/// sparse files).
///
/// Where readers differ, it does what the tar reader of Docker does, whose layers these are: global PAX headers are ignored,
/// a long name of GNU's counts more than one of PAX, a missing end marker is no error, bytes after the end marker are part of the
/// layer.
///
/// @see <a href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html">pax, with the ustar and pax formats</a>
final class TarParser {
    static final int RECORD = HeaderRecord.SIZE;
    /// As much as an extended header may hold: it is kept in memory.
    private static final int MAX_EXTENDED_HEADER = 1024 * 1024;

    /// What the parser finds, in the order of the tar.
    interface Visitor {
        /// Bytes that are no file's content: headers, padding, and the content of sparse files.
        void raw(byte[] bytes, int from, int to) throws IOException;

        /// A member; its raw headers were handed over before.
        void entry(TarEntry entry) throws IOException;

        /// A piece of the last entry's content.
        ///
        /// @param offset where it belongs in the file
        void content(byte[] bytes, int from, int to, long offset) throws IOException;
    }

    private enum State { HEADER, SECOND_ZERO_RECORD, EXTENDED, OLD_SPARSE_MAP, PAX_SPARSE_MAP, CONTENT, PADDING, TRAILER }

    private final Visitor visitor;
    private State state = State.HEADER;

    private TarEntry entry;
    /// Bytes to come of what `state` is about, and of padding behind it.
    private long remaining;
    private int padding;
    private long position;

    private byte extendedType;
    private ByteArrayOutputStream extended;
    private byte[] longName;
    private byte[] longLink;
    private PaxRecords pax = PaxRecords.NONE;

    /// Of the last entry, null when it is not sparse.
    private SparseMap sparse;
    private SparseMap.Lines sparseLines;

    TarParser(Visitor visitor) {
        this.visitor = visitor;
    }

    /// Takes the next bytes: whole records, except at the very end.
    void accept(byte[] bytes, int length) throws IOException {
        int at = 0;
        while (at < length) {
            at = switch (state) {
                case HEADER, SECOND_ZERO_RECORD -> header(bytes, at, length);
                case EXTENDED -> extended(bytes, at, length);
                case OLD_SPARSE_MAP -> oldSparseMap(bytes, at, length);
                case PAX_SPARSE_MAP -> paxSparseMap(bytes, at, length);
                case CONTENT -> content(bytes, at, length);
                case PADDING -> padding(bytes, at, length);
                case TRAILER -> {
                    visitor.raw(bytes, at, length);
                    yield length;
                }
            };
        }
    }

    /// Says that nothing follows.
    void finish() throws IOException {
        switch (state) {
            case TRAILER, SECOND_ZERO_RECORD -> {}
            case HEADER -> {
                if (longName != null || longLink != null || !pax.isEmpty()) throw truncated();
            }
            case CONTENT, PADDING, EXTENDED, OLD_SPARSE_MAP, PAX_SPARSE_MAP -> throw truncated();
        }
    }

    private static InvalidLayerException truncated() {
        return new InvalidLayerException("unexpected EOF");
    }

    static InvalidLayerException invalid(String what) {
        return new InvalidLayerException("archive/tar: invalid tar header: " + what);
    }

    private int header(byte[] b, int at, int length) throws IOException {
        if (length - at < RECORD) throw truncated();
        visitor.raw(b, at, at + RECORD);
        int end = at + RECORD;
        var header = new HeaderRecord(b, at);
        if (header.isZero()) {
            state = state == State.HEADER ? State.SECOND_ZERO_RECORD : State.TRAILER;
            return end;
        }
        if (state == State.SECOND_ZERO_RECORD) throw invalid("data after a record of zeros");
        header.verify();
        switch (header.type()) {
            case 'x', 'g', 'L', 'K' -> beginExtended(header);
            default -> member(header);
        }
        return end;
    }

    /// Whether a tar may begin with the record at the start of `b`: a member's header, or the end marker of an empty tar.
    static boolean isRecord(byte[] b) {
        if (b.length < RECORD) return false;
        var header = new HeaderRecord(b, 0);
        try {
            if (!header.isZero()) header.verify();
            return true;
        } catch (InvalidLayerException e) {
            return false;
        }
    }

    private void begin(State next, long size) {
        state = next;
        remaining = size;
        padding = (int) (-size & RECORD - 1);
    }

    private int padding(byte[] b, int at, int length) throws IOException {
        int end = Math.min(length, at + padding);
        visitor.raw(b, at, end);
        padding -= end - at;
        if (padding == 0) state = State.HEADER;
        return end;
    }

    // Headers before the header

    private void beginExtended(HeaderRecord header) throws IOException {
        long size = header.number(124, 12, "size");
        if (size < 0 || size > MAX_EXTENDED_HEADER) throw invalid("extended header of " + size + " bytes");
        extendedType = header.type();
        extended = new ByteArrayOutputStream();
        begin(State.EXTENDED, size);
        if (size == 0) endExtended();
    }

    private int extended(byte[] b, int at, int length) throws IOException {
        int end = (int) Math.min(length, at + remaining);
        visitor.raw(b, at, end);
        extended.write(b, at, end - at);
        remaining -= end - at;
        if (remaining == 0) endExtended();
        return end;
    }

    private void endExtended() throws IOException {
        byte[] content = extended.toByteArray();
        extended = null;
        switch (extendedType) {
            case 'L' -> longName = HeaderRecord.untilZero(content, 0, content.length);
            case 'K' -> longLink = HeaderRecord.untilZero(content, 0, content.length);
            case 'x' -> pax = PaxRecords.parse(content);
            default -> {
                // 'g' has to be well-formed, and is ignored otherwise. It counts as a member, so what was said before is about it.
                PaxRecords.parse(content);
                forgetExtended();
            }
        }
        state = padding == 0 ? State.HEADER : State.PADDING;
    }

    private void forgetExtended() {
        longName = null;
        longLink = null;
        pax = PaxRecords.NONE;
    }

    // Members

    private void member(HeaderRecord header) throws IOException {
        var e = new TarEntry();
        entry = e;
        e.type = header.type();
        e.name = header.name();
        e.linkName = header.linkName();
        e.mode = (int) header.number(100, 8, "mode");
        e.uid = owner(pax.number("uid", header.number(108, 8, "uid")));
        e.gid = owner(pax.number("gid", header.number(116, 8, "gid")));
        e.size = pax.number("size", header.number(124, 12, "size"));
        e.mtimeSeconds = header.number(136, 12, "mtime");
        if (header.isGnu() || header.isUstar()) {
            e.deviceMajor = (int) header.number(329, 8, "device");
            e.deviceMinor = (int) header.number(337, 8, "device");
        }
        pax.applyTo(e);
        if (longName != null && longName.length > 0) e.name = longName;
        if (longLink != null && longLink.length > 0) e.linkName = longLink;
        if (e.size < 0) throw invalid("negative size");
        e.stored = e.size;

        sparse = null;
        State next = sparse(header, e);
        forgetExtended();
        name(e);
        if (!e.isRegular()) {
            e.size = 0;
            e.stored = 0;
            sparse = null;
            next = State.CONTENT;
        }
        begin(next, e.stored);
        if (state != State.CONTENT) return;
        if (sparse == null) beginContent();
        else beginSparseContent();
    }

    private static int owner(long id) throws IOException {
        if (id != (int) id && id >>> 32 != 0) throw invalid("owner out of range");
        return (int) id;
    }

    /// Settles type and name.
    private static void name(TarEntry e) throws IOException {
        boolean endsInSlash = e.name.length > 0 && e.name[e.name.length - 1] == '/';
        switch (e.type) {
            case 0 -> e.type = endsInSlash ? TarEntry.DIRECTORY : TarEntry.REGULAR;
            case 'S' -> e.type = TarEntry.REGULAR;
            case '0', '1', '2', '3', '4', '5', '6' -> {}
            default -> throw new InvalidLayerException("unhandled tar header type " + (e.type & 0xff) + ": " + e);
        }
        if (contains(e.name, (byte) 0) || contains(e.linkName, (byte) 0)) throw invalid("name with a zero byte");
        TarPath.clean(e);
    }

    private void beginContent() throws IOException {
        state = State.CONTENT;
        position = 0;
        visitor.entry(entry);
        if (remaining == 0) endContent();
    }

    private void endContent() {
        state = padding == 0 ? State.HEADER : State.PADDING;
    }

    private int content(byte[] b, int at, int length) throws IOException {
        int end = (int) Math.min(length, at + remaining);
        if (sparse == null) {
            visitor.content(b, at, end, position);
        } else {
            visitor.raw(b, at, end);
            sparse.place(b, at, end, visitor);
        }
        position += end - at;
        remaining -= end - at;
        if (remaining == 0) endContent();
        return end;
    }

    private static boolean contains(byte[] bytes, byte wanted) {
        for (byte b : bytes) if (b == wanted) return true;
        return false;
    }

    // Sparse files

    /// Begins the map, if `e` has one.
    ///
    /// @return what follows the header: the rest of the map, or the content
    private State sparse(HeaderRecord header, TarEntry e) throws IOException {
        if (e.type == 'S') {
            if (!header.isGnu()) throw invalid("sparse member in an archive that is not GNU's");
            sparse = new SparseMap();
            sparse.addAll(header, 386, 4);
            e.size = realSize(header.number(483, 12, "sparse size"));
            return header.flag(482) ? State.OLD_SPARSE_MAP : State.CONTENT;
        }
        PaxRecords.Sparse format = pax.sparse();
        if (format == PaxRecords.Sparse.NONE) return State.CONTENT;
        sparse = new SparseMap();
        e.size = realSize(pax.sparseSize(e.size));
        if (pax.sparseName() != null) e.name = pax.sparseName();
        if (format == PaxRecords.Sparse.IN_CONTENT) {
            sparseLines = sparse.lines();
            return State.PAX_SPARSE_MAP;
        }
        sparse.addAll(pax.sparseMap());
        return State.CONTENT;
    }

    private static long realSize(long size) throws IOException {
        if (size < 0) throw invalid("negative size");
        return size;
    }

    private void beginSparseContent() throws IOException {
        sparse.verify(entry.size, remaining);
        entry.stored = remaining;
        entry.sparse = true;
        beginContent();
    }

    private int oldSparseMap(byte[] b, int at, int length) throws IOException {
        if (length - at < RECORD) throw truncated();
        visitor.raw(b, at, at + RECORD);
        var more = new HeaderRecord(b, at);
        sparse.addAll(more, 0, 21);
        if (!more.flag(504)) beginSparseContent();
        return at + RECORD;
    }

    /// The map of format 1.0 stands before the content, and counts as content.
    private int paxSparseMap(byte[] b, int at, int length) throws IOException {
        if (remaining < RECORD) throw invalid("sparse map");
        if (length - at < RECORD) throw truncated();
        visitor.raw(b, at, at + RECORD);
        remaining -= RECORD;
        if (sparseLines.accept(b, at, at + RECORD)) {
            sparseLines = null;
            beginSparseContent();
        }
        return at + RECORD;
    }
}
