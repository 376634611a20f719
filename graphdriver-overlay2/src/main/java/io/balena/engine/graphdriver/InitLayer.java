package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.file.Path;

/// The mount points that every container needs, made between the image and the container's own layer, so that they do not
/// count as changes of the container.
///
/// Files of the image by these names are replaced by empty ones, and symbolic links on the way by folders, as Docker does; no
/// link is ever followed.
final class InitLayer {
    private static final int MODE = 0755;

    private final FileCalls calls = new FileCalls();
    private final int root;
    private final IdentityMapping owners;

    private InitLayer(int root, IdentityMapping owners) {
        this.root = root;
        this.owners = owners;
    }

    /// @param owners says who owns what is made
    static void fill(Path root, IdentityMapping owners) throws IOException {
        var calls = new FileCalls();
        int fd = calls.open(root, OpenFlags.PATH | OpenFlags.DIRECTORY);
        try {
            new InitLayer(fd, owners).fill();
        } finally {
            calls.close(fd);
        }
    }

    private interface Maker {
        void make(int parent, byte[] name) throws IOException;
    }

    private void fill() throws IOException {
        Maker directory = (parent, name) -> calls.mkdir(parent, name, 0, name.length, MODE);
        Maker file = (parent, name) -> calls.close(
                calls.open(parent, name, 0, name.length, OpenFlags.WRONLY | OpenFlags.CREAT | OpenFlags.EXCL | OpenFlags.NOFOLLOW, MODE));
        for (String path : new String[] {"dev/pts", "dev/shm", "proc", "sys"}) make(path, directory);
        for (String path : new String[] {".dockerenv", "etc/resolv.conf", "etc/hosts", "etc/hostname", "dev/console"}) {
            make(path, file);
        }
        make("etc/mtab", (parent, name) -> calls.symlink("/proc/mounts".getBytes(US_ASCII), parent, name, 0, name.length));
    }

    private void make(String path, Maker maker) throws IOException {
        String[] parts = path.split("/");
        int folder = calls.open(root, new byte[] {'.'}, OpenFlags.PATH | OpenFlags.DIRECTORY);
        try {
            for (int i = 0; i < parts.length; i++) {
                byte[] name = parts[i].getBytes(US_ASCII);
                removeUnlessDirectory(folder, name);
                boolean last = i == parts.length - 1;
                try {
                    if (last) maker.make(folder, name);
                    else calls.mkdir(folder, name, 0, name.length, MODE);
                    if (!owners.isNone()) calls.chown(folder, name, 0, name.length, owners.rootUser(), owners.rootGroup());
                } catch (ErrnoException e) {
                    if (e.errno() != Errno.EEXIST) throw e;
                }
                if (last) break;
                int next = calls.open(folder, name, OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.NOFOLLOW);
                calls.close(folder);
                folder = next;
            }
        } finally {
            calls.close(folder);
        }
    }

    private void removeUnlessDirectory(int folder, byte[] name) throws IOException {
        try {
            calls.unlink(folder, name);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENOENT && e.errno() != Errno.EISDIR) throw e;
        }
    }
}
