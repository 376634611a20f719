package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.file.Path;

/// The regular files of a layer, opened by the names that its tar has for them. For one thread.
final class LayerContents implements AutoCloseable {
    // Reading a layer must not write: noting the time would cost an inode for each of its files.
    private static final int FLAGS = OpenFlags.RDONLY | OpenFlags.NOFOLLOW | OpenFlags.NONBLOCK | OpenFlags.NOATIME;

    private final FileCalls calls = new FileCalls();
    private final int root;

    LayerContents(Path diff) throws IOException {
        root = calls.open(diff, OpenFlags.PATH | OpenFlags.DIRECTORY);
    }

    /// @param size that it must have
    Content open(byte[] name, long size) throws IOException {
        int fd;
        try {
            fd = calls.openBy(root, TarPath.clean(name), FLAGS, OpenFlags.RESOLVE_IN_ROOT);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR || e.errno() == Errno.ELOOP) throw damaged(name, "is missing", e);
            throw e;
        }
        try {
            var stat = calls.stat(fd);
            if (!stat.isRegular()) throw damaged(name, "is no regular file", null);
            if (stat.size() < size) throw damaged(name, "is shorter than recorded", null);
            return new Content(fd, name);
        } catch (Throwable t) {
            calls.close(fd);
            throw t;
        }
    }

    static IOException damaged(byte[] name, String how, Throwable cause) {
        return new IOException("layer is damaged: " + new String(name, UTF_8) + " " + how, cause);
    }

    @Override
    public void close() {
        calls.close(root);
    }

    /// An open file.
    final class Content implements AutoCloseable {
        private final int fd;
        private final byte[] name;
        private long position;

        private Content(int fd, byte[] name) {
            this.fd = fd;
            this.name = name;
        }

        /// @return bytes read, at least one
        int read(long from, byte[] to, int offset, int length) throws IOException {
            if (from != position) calls.seek(fd, from);
            int got = calls.read(fd, to, offset, length);
            if (got < 0) throw damaged(name, "is shorter than recorded", null);
            position = from + got;
            return got;
        }

        @Override
        public void close() {
            calls.close(fd);
        }
    }
}
