package io.balena.engine.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Arrays;

/// A file whose blocks are made once and then written over in place.
///
/// That costs the device just these blocks, where replacing a file ([DurableFile]) has a journalling file system commit its inode,
/// its name and its folder as well: on ext4, 4 KiB instead of 64. What a power cut leaves of a block being written is for the caller to
/// tell. Unlike a `FileChannel` it stays open when the thread that uses it is interrupted.
public final class FixedFile implements AutoCloseable {
    private final Fd file;
    private final Path path;

    private FixedFile(Fd file, Path path) {
        this.file = file;
        this.path = path;
    }

    /// Opens `path`; makes it, full of zeros and durable, when it is missing or has another size.
    ///
    /// @param size in bytes
    public static FixedFile open(Path path, int size) throws IOException {
        if (!Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS) || Files.size(path) != size) DurableFile.replace(path, new byte[size]);
        return new FixedFile(Fd.open(path, OpenFlags.RDWR | OpenFlags.NOFOLLOW), path);
    }

    /// All of it.
    public byte[] read() throws IOException {
        return Files.readAllBytes(path);
    }

    /// Writes over what is at `offset`; durable after the next [#sync].
    public void write(long offset, byte[] bytes) throws ErrnoException {
        for (int done = 0; done < bytes.length; ) {
            byte[] rest = done == 0 ? bytes : Arrays.copyOfRange(bytes, done, bytes.length);
            done += Libc.check(FileLibc.pwrite64(file.number(), rest, rest.length, offset + done), "write", path);
        }
    }

    /// Returns when all that was written is on the device.
    ///
    /// @see <a href="https://man7.org/linux/man-pages/man2/fdatasync.2.html">fdatasync(2)</a>
    public void sync() throws ErrnoException {
        Libc.check(FileLibc.fdatasync(file.number()), "fdatasync", path);
    }

    @Override
    public void close() {
        file.close();
    }
}
