package io.balena.engine.daemon.container.log;

import static java.nio.file.StandardOpenOption.READ;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/// The files of one log: `x.log`, which is written to, `x.log.1` before it, `x.log.2` before that; older ones perhaps `.gz`.
///
/// They are renamed at any time by the shim, so each is known by its inode, not its name.
final class LogFiles {
    private static final int BLOCK_BYTES = 64 * 1024;

    private final Path current;

    LogFiles(Path current) {
        this.current = current;
    }

    /// An opened file, which stays the same one whatever it is called.
    record Opened(Object key, boolean compressed, FileChannel channel) implements AutoCloseable {
        /// Its content from byte `offset` on; what is appended later can be read on.
        InputStream from(long offset) throws IOException {
            channel.position(offset);
            InputStream raw = Channels.newInputStream(channel);
            return compressed ? new GZIPInputStream(raw) : raw;
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    /// All files there are, oldest first. A rotation in between may show one of them twice, never hide one; the second is dropped.
    List<Opened> openAll() throws IOException {
        List<Opened> newestFirst = new ArrayList<>();
        for (int i = 0; ; i++) {
            Opened file = open(i);
            if (file == null && i > 0) break;
            if (file == null) continue;
            boolean seen = newestFirst.stream().anyMatch(other -> other.key.equals(file.key));
            if (seen) file.close();
            else newestFirst.add(file);
        }
        return newestFirst.reversed();
    }

    /// The file that follows `key`: the same one while it has not been rotated, null when there is none at all.
    Opened after(Object key) throws IOException {
        Opened newer = open(0);
        if (newer == null || newer.key.equals(key)) return newer;
        for (int i = 1; ; i++) {
            Opened older = open(i);
            if (older == null) return newer; // ours is gone: go on with the oldest that is left
            if (older.key.equals(key)) {
                older.close();
                return newer;
            }
            newer.close();
            newer = older;
        }
    }

    /// Whether the file known as `key` is still the one being written.
    boolean isCurrent(Object key) throws IOException {
        try {
            return key.equals(Files.readAttributes(current, BasicFileAttributes.class).fileKey());
        } catch (NoSuchFileException e) {
            return true; // in the middle of a rotation: look again when the new file appears
        }
    }

    private Opened open(int age) throws IOException {
        Opened plain = open(age == 0 ? current : sibling("." + age), false);
        return plain != null || age == 0 ? plain : open(sibling("." + age + ".gz"), true);
    }

    private static Opened open(Path file, boolean compressed) throws IOException {
        FileChannel channel;
        try {
            channel = FileChannel.open(file, READ);
        } catch (NoSuchFileException e) {
            return null;
        }
        try {
            return new Opened(Files.readAttributes(file, BasicFileAttributes.class).fileKey(), compressed, channel);
        } catch (NoSuchFileException e) {
            channel.close();
            return null;
        }
    }

    private Path sibling(String suffix) {
        return current.resolveSibling(current.getFileName() + suffix);
    }

    /// Where the last `lines` whole lines of a plain file begin, and how many there are if fewer.
    static TailStart tail(FileChannel file, int lines) throws IOException {
        long end = file.size();
        int found = -1; // the newline that ends the last whole line begins none
        var block = ByteBuffer.allocate(BLOCK_BYTES);
        for (long position = end; position > 0; ) {
            int length = (int) Math.min(BLOCK_BYTES, position);
            position -= length;
            block.clear().limit(length);
            for (long at = position; block.hasRemaining(); ) {
                int read = file.read(block, at);
                if (read < 0) break;
                at += read;
            }
            for (int i = block.position() - 1; i >= 0; i--) {
                if (block.get(i) == '\n' && ++found == lines) return new TailStart(position + i + 1, lines);
            }
        }
        return new TailStart(0, found + 1);
    }

    /// @param offset in bytes
    /// @param lines from there to the end
    record TailStart(long offset, int lines) {}
}
