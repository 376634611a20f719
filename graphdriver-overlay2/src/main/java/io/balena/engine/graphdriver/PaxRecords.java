package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// The records of a PAX header: `%d %s=%s\n`, the length of the whole line, in decimal, then keyword and value, which may hold
/// any byte.
///
/// An empty value takes back a global header's record; as those are not applied, it is the same as no record, except for an
/// extended attribute, which may be empty.
///
/// @see <a href="https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html">pax, extended header</a>
final class PaxRecords {
    static final PaxRecords NONE = new PaxRecords(Map.of());
    private static final String XATTR_PREFIX = "SCHILY.xattr.";
    private static final String SPARSE_MAP = "GNU.sparse.map";

    private final Map<String, byte[]> values;

    private PaxRecords(Map<String, byte[]> values) {
        this.values = values;
    }

    static PaxRecords parse(byte[] content) throws InvalidLayerException {
        var records = new HashMap<String, byte[]>();
        StringBuilder oldSparse = null;
        int at = 0;
        while (at < content.length) {
            int space = indexOf(content, at, content.length, ' ');
            // No more digits than a length within the limit has.
            long size = space - at > 10 ? 0 : decimal(new String(content, at, space - at, ISO_8859_1), "PAX record");
            int end = (int) Math.min(content.length + 1L, at + size);
            if (size < 5 || end > content.length || end <= space + 1 || content[end - 1] != '\n') throw TarParser.invalid("PAX record");
            int equals = indexOf(content, space + 1, end, '=');
            if (equals == end) throw TarParser.invalid("PAX record");
            String key = new String(content, space + 1, equals - space - 1, UTF_8);
            if (key.isEmpty() || key.indexOf(0) >= 0) throw TarParser.invalid("PAX keyword");
            byte[] value = Arrays.copyOfRange(content, equals + 1, end - 1);
            if (key.equals("GNU.sparse.offset") || key.equals("GNU.sparse.numbytes")) {
                // Format 0.0 repeats these two; joined they are the map of format 0.1.
                if (oldSparse == null) oldSparse = new StringBuilder();
                else oldSparse.append(',');
                oldSparse.append(new String(value, ISO_8859_1));
            } else {
                records.put(key, value);
            }
            at = end;
        }
        if (oldSparse != null) records.put(SPARSE_MAP, oldSparse.toString().getBytes(ISO_8859_1));
        return new PaxRecords(records);
    }

    boolean isEmpty() {
        return values.isEmpty();
    }

    /// Has what the records say about `entry` override its header, except for owner, size and sparse map.
    void applyTo(TarEntry entry) throws InvalidLayerException {
        for (var record : values.entrySet()) {
            byte[] value = record.getValue();
            if (record.getKey().startsWith(XATTR_PREFIX)) {
                entry.putXattr(record.getKey().substring(XATTR_PREFIX.length()), value);
                continue;
            }
            if (value.length == 0) continue;
            switch (record.getKey()) {
                case "path" -> entry.name = value;
                case "linkpath" -> entry.linkName = value;
                case "mtime" -> {
                    long[] time = time(value);
                    entry.mtimeSeconds = time[0];
                    entry.mtimeNanos = (int) time[1];
                }
                case "atime" -> {
                    long[] time = time(value);
                    entry.atimeSeconds = time[0];
                    entry.atimeNanos = (int) time[1];
                }
                default -> {}
            }
        }
    }

    long number(String key, long otherwise) throws InvalidLayerException {
        String text = text(key);
        return text.isEmpty() ? otherwise : decimal(text, key);
    }

    /// Where GNU tar keeps the map of a sparse file, if these records are about one.
    enum Sparse { NONE, IN_RECORDS, IN_CONTENT }

    /// As Docker decides it: formats 0.0 and 0.1 need not name themselves, a format that nobody knows makes no sparse file.
    Sparse sparse() {
        String major = text("GNU.sparse.major");
        String minor = text("GNU.sparse.minor");
        if (major.equals("1") && minor.equals("0")) return Sparse.IN_CONTENT;
        if (major.equals("0") && (minor.equals("0") || minor.equals("1"))) return Sparse.IN_RECORDS;
        return major.isEmpty() && minor.isEmpty() && !text(SPARSE_MAP).isEmpty() ? Sparse.IN_RECORDS : Sparse.NONE;
    }

    /// @return null when the member's own name is right
    byte[] sparseName() {
        byte[] name = values.get("GNU.sparse.name");
        return name == null || name.length == 0 ? null : name;
    }

    long sparseSize(long otherwise) throws InvalidLayerException {
        return number("GNU.sparse.size", number("GNU.sparse.realsize", otherwise));
    }

    /// Pairs of offset and length.
    long[] sparseMap() throws InvalidLayerException {
        String map = text(SPARSE_MAP);
        if (map.isEmpty()) return new long[0];
        String[] numbers = map.split(",", -1);
        long[] parts = new long[numbers.length];
        for (int i = 0; i < numbers.length; i++) parts[i] = decimal(numbers[i], "sparse map");
        return parts;
    }

    private String text(String key) {
        byte[] value = values.get(key);
        return value == null ? "" : new String(value, ISO_8859_1);
    }

    /// Seconds since 1970, maybe negative, maybe with a fraction.
    private static long[] time(byte[] value) throws InvalidLayerException {
        String text = new String(value, ISO_8859_1);
        int dot = text.indexOf('.');
        long seconds = decimal(dot < 0 ? text : text.substring(0, dot), "time");
        if (dot < 0) return new long[] {seconds, 0};
        String digits = text.substring(dot + 1);
        for (int i = 0; i < digits.length(); i++) if (digits.charAt(i) < '0' || digits.charAt(i) > '9') throw TarParser.invalid("time");
        long nanos = Long.parseLong((digits + "000000000").substring(0, 9));
        if (text.startsWith("-") && nanos > 0) return new long[] {seconds - 1, 1_000_000_000 - nanos};
        return new long[] {seconds, nanos};
    }

    static long decimal(String text, String what) throws InvalidLayerException {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw TarParser.invalid(what);
        }
    }

    private static int indexOf(byte[] bytes, int from, int to, char wanted) {
        int at = from;
        while (at < to && bytes[at] != wanted) at++;
        return at;
    }
}
