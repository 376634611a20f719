package io.balena.engine.daemon.container.log;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;

/// One file of a log, opened: it stays the same one whatever it is called, and as long as it is open no other gets its inode.
final class LogFile implements AutoCloseable {
    private final Fd fd;
    private final FileChannel channel;
    private final boolean compressed;

    private LogFile(Fd fd, FileChannel channel, boolean compressed) {
        this.fd = fd;
        this.channel = channel;
        this.compressed = compressed;
    }

    /// Which file it is, also after it was compressed. The time of its last change tells it from one that had its inode before.
    record Identity(long inode, long modifiedNanos) {}

    /// @return null when there is none of that name
    static LogFile open(Path file, boolean compressed) throws IOException {
        Fd fd;
        try {
            fd = Fd.open(file, OpenFlags.RDONLY);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT) return null;
            throw e;
        }
        try {
            return new LogFile(fd, FileChannel.open(self(fd), StandardOpenOption.READ), compressed);
        } catch (IOException e) {
            fd.close();
            throw e;
        }
    }

    boolean compressed() {
        return compressed;
    }

    FileChannel channel() {
        return channel;
    }

    /// Its content from byte `offset` on; what is appended later can be read on.
    InputStream from(long offset) throws IOException {
        channel.position(compressed ? 0 : offset);
        InputStream raw = Channels.newInputStream(channel);
        if (!compressed) return raw;
        var unzipped = new GZIPInputStream(raw);
        unzipped.skipNBytes(offset);
        return unzipped;
    }

    /// What it is now; final once it has been rotated. Of a compressed one, what it was before.
    Identity identity() throws IOException {
        if (compressed) {
            ByteBuffer head = ByteBuffer.allocate(GzipNote.MOST_BYTES);
            while (head.hasRemaining() && channel.read(head, head.position()) > 0) {}
            Identity before = GzipNote.identity(head.array(), head.position());
            if (before != null) return before;
        }
        Map<String, Object> now = Files.readAttributes(self(fd), "unix:ino,lastModifiedTime");
        return new Identity((Long) now.get("ino"), ((FileTime) now.get("lastModifiedTime")).to(TimeUnit.NANOSECONDS));
    }

    /// Whether this name means this file. While it is open, no other has its inode.
    boolean isNamed(Path file) throws IOException {
        try {
            return Files.isSameFile(file, self(fd));
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    // By descriptor, not by name: a name may mean another file by now.
    private static Path self(Fd fd) {
        return Path.of("/proc/self/fd/" + fd.number());
    }

    @Override
    public void close() throws IOException {
        fd.close();
        channel.close();
    }
}
