package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.FileStat;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Map;

/// Writes a member's headers: ustar, with a PAX header before it for what does not fit.
final class TarHeaders {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final IdentityMapping owners;
    private final boolean wholeSeconds;

    /// @param wholeSeconds a time without a fraction needs no PAX header, which not all clients of `docker cp` understand
    TarHeaders(IdentityMapping owners, boolean wholeSeconds) {
        this.owners = owners;
        this.wholeSeconds = wholeSeconds;
    }

    byte[] bytes() {
        return out.toByteArray();
    }

    byte[] write(byte[] name, FileStat stat, byte type, long size, byte[] link, Map<String, byte[]> xattrs) {
        var pax = new ByteArrayOutputStream();
        if (name.length > 100) record(pax, "path", name);
        if (link != null && link.length > 100) record(pax, "linkpath", link);
        if (size > 077777777777L) record(pax, "size", text(size));
        long uid = owners.containerUser(stat.uid()) & 0xffffffffL;
        long gid = owners.containerGroup(stat.gid()) & 0xffffffffL;
        if (uid > 07777777) record(pax, "uid", text(uid));
        if (gid > 07777777) record(pax, "gid", text(gid));
        boolean plainTime = (wholeSeconds || stat.mtimeNanos() == 0) && stat.mtimeSeconds() >= 0 && stat.mtimeSeconds() <= 077777777777L;
        if (!plainTime) record(pax, "mtime", time(stat).getBytes(US_ASCII));
        xattrs.forEach((key, value) -> record(pax, "SCHILY.xattr." + key, value));
        if (pax.size() > 0) {
            header("PaxHeaders.0/file".getBytes(US_ASCII), 'x', 0644, 0, 0, pax.size(), 0, null, 0, 0);
            out.writeBytes(pax.toByteArray());
            out.writeBytes(new byte[-pax.size() & TarParser.RECORD - 1]);
        }
        header(name, type, stat.permissions(), uid, gid, size, stat.mtimeSeconds(), link, stat.rdevMajor(), stat.rdevMinor());
        return bytes();
    }

    private void header(byte[] name, int type, int mode, long uid, long gid, long size, long mtime, byte[] link, int major, int minor) {
        byte[] b = new byte[TarParser.RECORD];
        System.arraycopy(name, 0, b, 0, Math.min(name.length, 100));
        octal(b, 100, 8, mode);
        octal(b, 108, 8, uid);
        octal(b, 116, 8, gid);
        octal(b, 124, 12, size);
        octal(b, 136, 12, mtime);
        b[156] = (byte) type;
        if (link != null) System.arraycopy(link, 0, b, 157, Math.min(link.length, 100));
        System.arraycopy("ustar\00000".getBytes(US_ASCII), 0, b, 257, 8);
        octal(b, 329, 8, major);
        octal(b, 337, 8, minor);
        Arrays.fill(b, 148, 156, (byte) ' ');
        int sum = 0;
        for (byte each : b) sum += each & 0xff;
        System.arraycopy(String.format("%06o\0 ", sum).getBytes(US_ASCII), 0, b, 148, 8);
        out.writeBytes(b);
    }

    /// What does not fit is in the PAX header.
    private static void octal(byte[] b, int at, int length, long value) {
        boolean fits = value >= 0 && value < 1L << 3 * (length - 1);
        for (int i = length - 2; i >= 0; i--) {
            b[at + i] = (byte) ('0' + (fits ? value & 7 : 0));
            value >>>= 3;
        }
    }

    /// The length in front counts its own digits.
    private static void record(ByteArrayOutputStream pax, String key, byte[] value) {
        byte[] name = key.getBytes(UTF_8);
        int rest = name.length + value.length + 3;
        int length = rest + text(rest).length;
        if (rest + text(length).length != length) length = rest + text(length).length;
        pax.writeBytes(text(length));
        pax.write(' ');
        pax.writeBytes(name);
        pax.write('=');
        pax.writeBytes(value);
        pax.write('\n');
    }

    /// Seconds with a fraction; before 1970 the fraction counts away from zero.
    private static String time(FileStat stat) {
        return new java.math.BigDecimal(stat.mtimeSeconds())
                .add(java.math.BigDecimal.valueOf(stat.mtimeNanos(), 9)).stripTrailingZeros().toPlainString();
    }

    private static byte[] text(long number) {
        return Long.toString(number).getBytes(US_ASCII);
    }
}
