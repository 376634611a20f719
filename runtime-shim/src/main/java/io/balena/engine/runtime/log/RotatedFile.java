package io.balena.engine.runtime.log;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.loop.Diagnostics;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;

/// The file a log is written to, and those it was rotated away to: `x.log`, before it `x.log.1`, before that `x.log.2`.
///
/// A file that has reached its size is renamed before the next record is written, the oldest first, so that a reader who follows
/// finds whole records only, no name is ever taken twice, and the newest loses its name last. The new file is made before anything is
/// renamed: on a disk where that is impossible, the old one goes on.
///
/// Nothing is synced. When the disk is full, records are dropped whole, and the container goes on; it is tried again with every
/// output. A file that somebody has removed is made anew, within a second.
final class RotatedFile {
    private static final int MODE = 0640;
    private static final String NEW = ".new";

    /// What the file is made of.
    interface Records {
        /// How many of the first `length` bytes are whole records.
        int whole(byte[] bytes, int length);

        /// Makes a file good to be appended to that a shim or a machine may have left half written.
        ///
        /// @return its size then
        long mend(Fd file, long size, Path path, NativeBuffer buffer) throws IOException;
    }

    private final Stdio.Log settings;
    private final Records records;
    private final NativeBuffer buffer;
    private final LogCompressor compressor;
    private final Diagnostics diagnostics;

    private Fd file;
    /// Bytes in the file, all of them whole records.
    private long size;
    private long dropped;
    private long lookedAt;

    /// @param buffer lent by the shim for the time of a call: one serves all containers
    RotatedFile(Stdio.Log settings, Records records, NativeBuffer buffer, LogCompressor compressor, Diagnostics diagnostics) throws IOException {
        this.settings = settings;
        this.records = records;
        this.buffer = buffer;
        this.compressor = compressor;
        this.diagnostics = diagnostics;
        open();
    }

    /// Whether `more` bytes that are not written yet would fill it, so that they must be, and [#makeRoom] be called.
    boolean isFullWith(int more) {
        return settings.maxBytes() > 0 && size + more >= settings.maxBytes();
    }

    /// Begins a new file if this one has reached its size.
    void makeRoom() {
        if (isFullWith(0)) rotate();
    }

    /// Appends whole records.
    void write(byte[] bytes, int length) {
        int written = 0;
        try {
            lookForFile();
            if (file == null) open();
            while (written < length) {
                int piece = Math.min(length - written, buffer.capacity());
                buffer.put(0, bytes, written, piece);
                int count = buffer.write(file, 0, piece);
                if (count > 0) written += count;
            }
            size += length;
            if (dropped > 0) diagnostics.info("log " + settings.file() + " goes on, " + dropped + " bytes were dropped");
            dropped = 0;
        } catch (IOException e) {
            drop(bytes, written, length, e);
        }
    }

    void close() {
        if (dropped > 0) diagnostics.warning("log " + settings.file() + " ends with " + dropped + " bytes dropped");
        if (file != null) file.close();
        file = null;
    }

    /// Leaves whole records only of what was written before the disk was full.
    private void drop(byte[] bytes, int written, int length, IOException cause) {
        if (dropped == 0) diagnostics.error("output is dropped, not logged to " + settings.file(), cause);
        int whole = records.whole(bytes, written);
        dropped += length - whole;
        size += whole;
        if (file == null || whole == written) return;
        try {
            file.truncate(size);
        } catch (ErrnoException e) {
            diagnostics.error("cannot cut a half record from " + settings.file(), e);
        }
    }

    private void open() throws IOException {
        use(Fd.open(settings.file(), OpenFlags.RDWR | OpenFlags.APPEND | OpenFlags.CREAT, MODE));
        if (size > 0) size = records.mend(file, size, settings.file(), buffer);
    }

    private void use(Fd opened) throws IOException {
        file = opened;
        size = file.size();
    }

    /// Whoever deletes a log wants it gone, not the logging.
    private void lookForFile() {
        if (file == null) return;
        long now = System.nanoTime() / 1_000_000_000;
        if (now == lookedAt) return;
        lookedAt = now;
        if (settings.file().toFile().exists()) return;
        file.close();
        file = null;
    }

    /// With one file, it starts anew.
    private void rotate() {
        File current = settings.file().toFile();
        Fd next;
        try {
            next = Fd.open(Path.of(current + NEW), OpenFlags.RDWR | OpenFlags.APPEND | OpenFlags.CREAT | OpenFlags.TRUNC, MODE);
        } catch (ErrnoException e) {
            diagnostics.error("cannot rotate " + current, e);
            if (settings.maxFiles() < 2) empty();
            return;
        }
        if (settings.maxFiles() > 1) moveUp(current);
        if (!new File(current + NEW).renameTo(current)) {
            next.close();
            diagnostics.warning("cannot rotate " + current);
            return;
        }
        file.close();
        try {
            use(next);
        } catch (IOException e) {
            file = null; // write() opens it again
        }
        if (settings.compress()) compressor.compress(settings.file(), settings.maxFiles());
    }

    private void moveUp(File current) {
        int oldest = 1;
        while (oldest < settings.maxFiles() - 1 && (exists(current, oldest, "") || exists(current, oldest, LogCompressor.SUFFIX))) oldest++;
        compressor.moved(settings.file(), oldest);
        // In both forms: no name may mean two files at any moment, or a reader would pass by one of them.
        named(current, oldest, LogCompressor.SUFFIX).delete();
        named(current, oldest, "").delete();
        for (int i = oldest; i > 1; i--) {
            named(current, i - 1, LogCompressor.SUFFIX).renameTo(named(current, i, LogCompressor.SUFFIX));
            named(current, i - 1, "").renameTo(named(current, i, ""));
        }
        if (!current.renameTo(named(current, 1, ""))) diagnostics.warning("cannot rotate " + current);
    }

    private static File named(File current, int age, String suffix) {
        return new File(current + "." + age + suffix);
    }

    private static boolean exists(File current, int age, String suffix) {
        return named(current, age, suffix).exists();
    }

    private void empty() {
        try {
            file.truncate(0);
            size = 0;
        } catch (ErrnoException e) {
            diagnostics.error("cannot empty " + settings.file(), e);
        }
    }
}
