package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Reads a tar that is pushed into it: v7, ustar, GNU (long names, base-256 numbers, sparse files) and PAX (with xattrs and
/// sparse files).
///
/// Where readers differ, it does what the tar reader of Docker does, whose layers these are: global PAX headers are ignored,
/// a missing end marker is no error, bytes after the end marker are part of the layer.
///
/// @see <a href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html">pax, with the ustar and pax formats</a>
/// @see <a href="https://www.gnu.org/software/tar/manual/html_node/Standard.html">GNU tar, basic tar format</a>
final class TarParser {
    static final int RECORD = 512;
    /// As much as an extended header may hold: it is kept in memory.
    private static final int MAX_EXTENDED_HEADER = 1024 * 1024;
    private static final String XATTR_PREFIX = "SCHILY.xattr.";
    private static final String PAX_SPARSE_PREFIX = "GNU.sparse.";

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
    private Map<String, byte[]> pax = Map.of();

    private final List<long[]> sparse = new ArrayList<>();
    private int sparsePart;

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

    private static InvalidLayerException invalid(String what) {
        return new InvalidLayerException("archive/tar: invalid tar header: " + what);
    }

    private int header(byte[] b, int at, int length) throws IOException {
        if (length - at < RECORD) throw truncated();
        visitor.raw(b, at, at + RECORD);
        int end = at + RECORD;
        if (isZero(b, at)) {
            state = state == State.HEADER ? State.SECOND_ZERO_RECORD : State.TRAILER;
            return end;
        }
        if (state == State.SECOND_ZERO_RECORD) throw invalid("data after a record of zeros");
        checkSum(b, at);
        byte type = b[at + 156];
        switch (type) {
            case 'x', 'g', 'L', 'K' -> beginExtended(type, number(b, at + 124, 12, "size"));
            default -> member(b, at);
        }
        return end;
    }

    /// Whether a tar may begin with the record at the start of `b`: a member's header, or the end marker of an empty tar.
    static boolean isRecord(byte[] b) {
        if (b.length < RECORD) return false;
        try {
            if (!isZero(b, 0)) checkSum(b, 0);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private static boolean isZero(byte[] b, int at) {
        for (int i = at; i < at + RECORD; i++) if (b[i] != 0) return false;
        return true;
    }

    private static void checkSum(byte[] b, int at) throws IOException {
        int unsigned = 8 * ' ';
        int signed = unsigned;
        for (int i = 0; i < RECORD; i++) {
            if (i == 148) i = 156;
            unsigned += b[at + i] & 0xff;
            signed += b[at + i];
        }
        long expected = octal(b, at + 148, 8, "checksum");
        if (expected != unsigned && expected != signed) throw invalid("wrong checksum");
    }

    private void beginExtended(byte type, long size) throws IOException {
        if (size < 0 || size > MAX_EXTENDED_HEADER) throw invalid("extended header of " + size + " bytes");
        extendedType = type;
        extended = new ByteArrayOutputStream((int) size);
        begin(State.EXTENDED, size);
        if (size == 0) endExtended();
    }

    private void begin(State next, long size) {
        state = next;
        remaining = size;
        padding = (int) (-size & RECORD - 1);
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
            case 'L' -> longName = untilZero(content, 0, content.length);
            case 'K' -> longLink = untilZero(content, 0, content.length);
            case 'x' -> pax = parsePax(content);
            default -> parsePax(content); // 'g': has to be well-formed, and is ignored otherwise
        }
        state = padding == 0 ? State.HEADER : State.PADDING;
    }

    private int padding(byte[] b, int at, int length) throws IOException {
        int end = Math.min(length, at + padding);
        visitor.raw(b, at, end);
        padding -= end - at;
        if (padding == 0) state = State.HEADER;
        return end;
    }

    private void member(byte[] b, int at) throws IOException {
        var e = new TarEntry();
        entry = e;
        e.type = b[at + 156];
        e.name = untilZero(b, at, 100);
        e.mode = (int) number(b, at + 100, 8, "mode");
        long uid = number(b, at + 108, 8, "uid");
        long gid = number(b, at + 116, 8, "gid");
        e.size = number(b, at + 124, 12, "size");
        e.mtimeSeconds = number(b, at + 136, 12, "mtime");
        e.linkName = untilZero(b, at + 157, 100);
        boolean gnu = matches(b, at + 257, "ustar  \0");
        boolean ustar = matches(b, at + 257, "ustar\0");
        if (gnu || ustar) {
            e.deviceMajor = (int) number(b, at + 329, 8, "device");
            e.deviceMinor = (int) number(b, at + 337, 8, "device");
        }
        if (ustar) {
            boolean star = matches(b, at + 508, "tar\0");
            byte[] prefix = untilZero(b, at + 345, star ? 131 : 155);
            if (prefix.length > 0) e.name = join(prefix, e.name);
        }
        if (longName != null) e.name = longName;
        if (longLink != null) e.linkName = longLink;

        sparse.clear();
        sparsePart = 0;
        boolean paxSparseInData = false;
        long realSize = -1;
        if (e.type == 'S') {
            if (!gnu) throw invalid("sparse member in an archive that is not GNU's");
            realSize = number(b, at + 483, 12, "sparse size");
            addOldSparse(b, at + 386, 4);
        }
        if (!pax.isEmpty()) {
            uid = paxNumber("uid", uid);
            gid = paxNumber("gid", gid);
            e.size = paxNumber("size", e.size);
            applyPax(e);
            if (isPaxSparse()) {
                realSize = paxNumber("GNU.sparse.realsize", paxNumber("GNU.sparse.size", e.size));
                byte[] name = pax.get("GNU.sparse.name");
                if (name != null) e.name = name;
                paxSparseInData = "1".equals(paxText("GNU.sparse.major"));
                if (!paxSparseInData) addPaxSparseMap(paxText("GNU.sparse.map"));
            }
        }
        if (uid != (int) uid && uid >>> 32 != 0 || gid != (int) gid && gid >>> 32 != 0) throw invalid("owner out of range");
        e.uid = (int) uid;
        e.gid = (int) gid;
        if (e.size < 0) throw invalid("negative size");
        longName = null;
        longLink = null;
        pax = Map.of();

        boolean endsInSlash = e.name.length > 0 && e.name[e.name.length - 1] == '/';
        switch (e.type) {
            case 0 -> e.type = endsInSlash ? TarEntry.DIRECTORY : TarEntry.REGULAR;
            case 'S' -> e.type = TarEntry.REGULAR;
            case '0', '1', '2', '3', '4', '5', '6' -> {}
            default -> throw new InvalidLayerException("unhandled tar header type " + (e.type & 0xff) + ": " + e);
        }
        if (!e.isRegular()) e.size = 0;
        e.stored = e.size;
        if (contains(e.name, (byte) 0) || contains(e.linkName, (byte) 0)) throw invalid("name with a zero byte");
        TarPath.clean(e);
        begin(State.CONTENT, e.stored);

        if (realSize >= 0 && e.isRegular()) {
            e.size = realSize;
            if (b[at + 156] == 'S' && b[at + 482] != 0) state = State.OLD_SPARSE_MAP;
            else if (paxSparseInData) {
                extended = new ByteArrayOutputStream();
                state = State.PAX_SPARSE_MAP;
            } else beginSparseContent();
        } else {
            beginContent();
        }
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
        if (entry.sparseMap == null) {
            visitor.content(b, at, end, position);
        } else {
            visitor.raw(b, at, end);
            sparseContent(b, at, end);
        }
        position += end - at;
        remaining -= end - at;
        if (remaining == 0) endContent();
        return end;
    }

    // Sparse files

    private void sparseContent(byte[] b, int at, int end) throws IOException {
        while (at < end) {
            long[] part = sparse.get(sparsePart);
            if (part[1] == 0) {
                sparsePart++;
                continue;
            }
            int piece = (int) Math.min(end - at, part[1]);
            visitor.content(b, at, at + piece, part[0]);
            part[0] += piece;
            part[1] -= piece;
            at += piece;
        }
    }

    private void beginSparseContent() throws IOException {
        long covered = 0;
        long end = 0;
        for (long[] part : sparse) {
            if (part[0] < end || part[1] < 0 || part[0] > entry.size - part[1]) throw invalid("sparse map");
            end = part[0] + part[1];
            covered += part[1];
        }
        if (covered != remaining) throw invalid("sparse map does not cover the content");
        entry.stored = covered;
        entry.sparseMap = sparse.stream().flatMapToLong(Arrays::stream).toArray();
        beginContent();
    }

    private void addOldSparse(byte[] b, int at, int parts) throws IOException {
        for (int i = 0; i < parts; i++, at += 24) {
            if (b[at] == 0) return;
            addSparse(number(b, at, 12, "sparse map"), number(b, at + 12, 12, "sparse map"));
        }
    }

    private void addSparse(long offset, long length) throws IOException {
        if (sparse.size() >= MAX_EXTENDED_HEADER / 16) throw invalid("sparse map too long");
        sparse.add(new long[] {offset, length});
    }

    private int oldSparseMap(byte[] b, int at, int length) throws IOException {
        if (length - at < RECORD) throw truncated();
        visitor.raw(b, at, at + RECORD);
        addOldSparse(b, at, 21);
        if (b[at + 504] == 0) beginSparseContent();
        return at + RECORD;
    }

    /// The map of format 1.0 stands before the content: decimal numbers, a line each, the first being how many pairs follow.
    private int paxSparseMap(byte[] b, int at, int length) throws IOException {
        if (remaining < RECORD) throw invalid("sparse map");
        if (length - at < RECORD) throw truncated();
        visitor.raw(b, at, at + RECORD);
        extended.write(b, at, RECORD);
        remaining -= RECORD;
        if (extended.size() > MAX_EXTENDED_HEADER) throw invalid("sparse map too long");
        String text = extended.toString(ISO_8859_1);
        String[] lines = text.substring(0, text.lastIndexOf('\n') + 1).split("\n");
        if (lines.length > 1 || text.indexOf('\n') >= 0) {
            long parts = decimal(lines[0], "sparse map");
            if (lines.length > 2 * parts) {
                for (int i = 0; i < parts; i++) {
                    addSparse(decimal(lines[1 + 2 * i], "sparse map"), decimal(lines[2 + 2 * i], "sparse map"));
                }
                extended = null;
                beginSparseContent();
            }
        }
        return at + RECORD;
    }

    private boolean isPaxSparse() {
        return pax.containsKey("GNU.sparse.map") || "1".equals(paxText("GNU.sparse.major"));
    }

    private void addPaxSparseMap(String map) throws IOException {
        if (map == null) throw invalid("sparse map missing");
        if (map.isEmpty()) return;
        String[] numbers = map.split(",", -1);
        if (numbers.length % 2 != 0) throw invalid("sparse map");
        for (int i = 0; i < numbers.length; i += 2) {
            addSparse(decimal(numbers[i], "sparse map"), decimal(numbers[i + 1], "sparse map"));
        }
    }

    // PAX

    /// `%d %s=%s\n`: the length of the whole line, in decimal, then keyword and value, which may hold any byte.
    private static Map<String, byte[]> parsePax(byte[] content) throws IOException {
        var records = new HashMap<String, byte[]>();
        StringBuilder oldSparse = null;
        int at = 0;
        while (at < content.length) {
            int space = at;
            while (space < content.length && content[space] != ' ') space++;
            long size = decimal(new String(content, at, space - at, ISO_8859_1), "PAX record");
            int end = (int) Math.min(content.length + 1L, at + size);
            if (size < 5 || end > content.length || end <= space + 1 || content[end - 1] != '\n') throw invalid("PAX record");
            int equals = space + 1;
            while (equals < end && content[equals] != '=') equals++;
            if (equals == end) throw invalid("PAX record");
            String key = new String(content, space + 1, equals - space - 1, UTF_8);
            byte[] value = Arrays.copyOfRange(content, equals + 1, end - 1);
            if (key.isEmpty() || key.indexOf(0) >= 0) throw invalid("PAX keyword");
            if (key.equals(PAX_SPARSE_PREFIX + "offset") || key.equals(PAX_SPARSE_PREFIX + "numbytes")) {
                // Format 0.0 repeats these two; joined they are the map of format 0.1.
                if (oldSparse == null) oldSparse = new StringBuilder();
                else oldSparse.append(',');
                oldSparse.append(new String(value, ISO_8859_1));
            } else {
                records.put(key, value);
            }
            at = end;
        }
        if (oldSparse != null) records.put(PAX_SPARSE_PREFIX + "map", oldSparse.toString().getBytes(ISO_8859_1));
        return records;
    }

    private void applyPax(TarEntry e) throws IOException {
        for (var record : pax.entrySet()) {
            byte[] value = record.getValue();
            if (record.getKey().startsWith(XATTR_PREFIX)) {
                e.putXattr(record.getKey().substring(XATTR_PREFIX.length()), value);
                continue;
            }
            if (value.length == 0) continue; // takes back a global header's record, which we do not apply
            switch (record.getKey()) {
                case "path" -> e.name = value;
                case "linkpath" -> e.linkName = value;
                case "mtime" -> {
                    long[] time = paxTime(value);
                    e.mtimeSeconds = time[0];
                    e.mtimeNanos = (int) time[1];
                }
                case "atime" -> {
                    long[] time = paxTime(value);
                    e.atimeSeconds = time[0];
                    e.atimeNanos = (int) time[1];
                }
                default -> {}
            }
        }
    }

    private String paxText(String key) {
        byte[] value = pax.get(key);
        return value == null ? null : new String(value, ISO_8859_1);
    }

    private long paxNumber(String key, long otherwise) throws IOException {
        String text = paxText(key);
        return text == null || text.isEmpty() ? otherwise : decimal(text, key);
    }

    /// Seconds since 1970, maybe negative, maybe with a fraction.
    private static long[] paxTime(byte[] value) throws IOException {
        String text = new String(value, ISO_8859_1);
        int dot = text.indexOf('.');
        long seconds = decimal(dot < 0 ? text : text.substring(0, dot), "time");
        if (dot < 0) return new long[] {seconds, 0};
        String digits = text.substring(dot + 1);
        for (int i = 0; i < digits.length(); i++) if (!Character.isDigit(digits.charAt(i))) throw invalid("time");
        long nanos = Long.parseLong((digits + "000000000").substring(0, 9));
        if (text.startsWith("-") && nanos > 0) return new long[] {seconds - 1, 1_000_000_000 - nanos};
        return new long[] {seconds, nanos};
    }

    private static long decimal(String text, String what) throws IOException {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw invalid(what);
        }
    }

    // Fields

    private static byte[] untilZero(byte[] b, int at, int length) {
        int end = at;
        while (end < at + length && b[end] != 0) end++;
        return Arrays.copyOfRange(b, at, end);
    }

    private static boolean matches(byte[] b, int at, String magic) {
        for (int i = 0; i < magic.length(); i++) if (b[at + i] != magic.charAt(i)) return false;
        return true;
    }

    private static byte[] join(byte[] prefix, byte[] name) {
        byte[] joined = Arrays.copyOf(prefix, prefix.length + 1 + name.length);
        joined[prefix.length] = '/';
        System.arraycopy(name, 0, joined, prefix.length + 1, name.length);
        return joined;
    }

    private static boolean contains(byte[] bytes, byte wanted) {
        for (byte b : bytes) if (b == wanted) return true;
        return false;
    }

    /// Octal digits, or base-256 when the first bit is set.
    private static long number(byte[] b, int at, int length, String what) throws IOException {
        if ((b[at] & 0x80) == 0) return octal(b, at, length, what);
        long inversion = (b[at] & 0x40) != 0 ? 0xff : 0;
        long value = 0;
        for (int i = 0; i < length; i++) {
            long digit = (b[at + i] & 0xff) ^ inversion;
            if (i == 0) digit &= 0x7f;
            if (value >>> 55 != 0) throw invalid(what + " out of range");
            value = value << 8 | digit;
        }
        return inversion == 0 ? value : ~value;
    }

    private static long octal(byte[] b, int at, int length, String what) throws IOException {
        int end = at + length;
        while (at < end && (b[at] == ' ' || b[at] == 0)) at++;
        while (at < end && (b[end - 1] == ' ' || b[end - 1] == 0)) end--;
        long value = 0;
        for (; at < end && b[at] != 0; at++) {
            int digit = b[at] - '0';
            if (digit < 0 || digit > 7 || value >>> 60 != 0) throw invalid(what);
            value = value << 3 | digit;
        }
        return value;
    }
}
