package io.balena.engine.runtime.log;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.LogClock;
import io.balena.engine.runtime.loop.Workers;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;

/// Compresses rotated logs, one of each log at a time, while the loop goes on. Only the loop gives names to files; a file that is
/// rotated further meanwhile is compressed under its later name.
///
/// The head of a compressed file holds a note as Docker's does, `{"lastTime":"…"}`, and which file it was before: by that, followers
/// know it again.
final class LogCompressor {
    static final String SUFFIX = ".gz";
    private static final String UNFINISHED = ".gz.new";
    private static final int BLOCK_BYTES = 16 << 10;

    private final Workers workers;
    private final Diagnostics diagnostics;
    private final Map<Path, Job> underWay = new HashMap<>();

    LogCompressor(Workers workers, Diagnostics diagnostics) {
        this.workers = workers;
        this.diagnostics = diagnostics;
    }

    private static final class Job {
        private int age;
        private boolean rotatedAway;

        Job(int age) {
            this.age = age;
        }
    }

    /// Begins to compress what was rotated and is not compressed, the oldest first.
    ///
    /// @param current the file that is written to
    /// @param maxFiles as many as there may be
    void compress(Path current, int maxFiles) {
        if (underWay.containsKey(current)) return;
        int age = maxFiles - 1;
        while (age > 0 && !plain(current, age).exists()) age--;
        if (age == 0) return;
        FileInputStream in;
        try {
            in = new FileInputStream(plain(current, age));
        } catch (IOException e) {
            diagnostics.error("cannot compress " + plain(current, age), e);
            return;
        }
        Job job = new Job(age);
        underWay.put(current, job);
        File unfinished = new File(current + UNFINISHED);
        String note = note(plain(current, age));
        workers.run(() -> {
            compress(in, unfinished, note);
            return null;
        }, new Workers.Outcome<Object>() {
            @Override
            public void succeeded(Object nothing) {
                underWay.remove(current);
                if (job.rotatedAway || !unfinished.renameTo(new File(plain(current, job.age) + SUFFIX))) unfinished.delete();
                else plain(current, job.age).delete();
                compress(current, maxFiles);
            }

            @Override
            public void failed(Throwable cause) {
                underWay.remove(current);
                unfinished.delete();
                diagnostics.error("cannot compress a log of " + current, cause);
            }
        });
    }

    /// The files of a log up to number `oldest` are being moved up by one; that one is deleted.
    void moved(Path current, int oldest) {
        Job job = underWay.get(current);
        if (job == null || job.age > oldest) return;
        if (job.age++ == oldest) job.rotatedAway = true;
    }

    private static File plain(Path current, int age) {
        return new File(current + "." + age);
    }

    private String note(File file) {
        try (Fd fd = Fd.open(file.toPath(), OpenFlags.RDONLY)) {
            FileStat stat = new FileCalls().stat(fd.number());
            String last = new String(new LogClock().format(stat.mtimeSeconds(), stat.mtimeNanos()), US_ASCII);
            long modified = stat.mtimeSeconds() * 1_000_000_000 + stat.mtimeNanos();
            return "{\"lastTime\":\"" + last + "\",\"inode\":" + stat.inode() + ",\"modified\":" + modified + "}";
        } catch (IOException e) {
            return "{}";
        }
    }

    private static void compress(InputStream from, File to, String note) throws IOException {
        Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
        CRC32 checksum = new CRC32();
        long length = 0;
        // Docker's permissions come with its umask; a log is nobody else's business.
        try (from; OutputStream out = owned(to)) {
            out.write(head(note));
            DeflaterOutputStream compressed = new DeflaterOutputStream(out, deflater, BLOCK_BYTES);
            byte[] block = new byte[BLOCK_BYTES];
            for (int read = from.read(block); read > 0; read = from.read(block)) {
                checksum.update(block, 0, read);
                compressed.write(block, 0, read);
                length += read;
            }
            compressed.finish();
            out.write(trailer(checksum.getValue(), length));
        } finally {
            deflater.end();
        }
    }

    private static OutputStream owned(File file) throws IOException {
        Fd.open(file.toPath(), OpenFlags.WRONLY | OpenFlags.CREAT | OpenFlags.TRUNC, 0640).close();
        return new FileOutputStream(file);
    }

    /// RFC 1952: magic, method, flag of an extra field, no time, no hint, unknown system, the field's length, the field.
    private static byte[] head(String note) {
        byte[] extra = note.getBytes(US_ASCII);
        byte[] head = new byte[12 + extra.length];
        head[0] = 0x1f;
        head[1] = (byte) 0x8b;
        head[2] = 8;
        head[3] = 4;
        head[9] = (byte) 255;
        head[10] = (byte) extra.length;
        head[11] = (byte) (extra.length >> 8);
        System.arraycopy(extra, 0, head, 12, extra.length);
        return head;
    }

    private static byte[] trailer(long checksum, long length) {
        byte[] trailer = new byte[8];
        for (int i = 0; i < 4; i++) {
            trailer[i] = (byte) (checksum >> 8 * i);
            trailer[4 + i] = (byte) (length >> 8 * i);
        }
        return trailer;
    }
}
