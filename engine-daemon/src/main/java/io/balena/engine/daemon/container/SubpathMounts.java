package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.Mount;
import io.balena.engine.linux.Mounts;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Parts of volumes. What another container does to the volume's folders meanwhile must not lead the mount elsewhere, so the part is
/// opened beneath the volume, and what was opened is bound on a file or folder that no container has: `<folder>/<container>/<n>`.
final class SubpathMounts {
    private static final long MS_BIND = 4096;
    private static final long MS_REC = 16384;

    private final Path folder;

    SubpathMounts(Path folder) {
        this.folder = folder;
    }

    /// @return the same mounts, those of parts from where these are bound now
    /// @throws InvalidRequest in Docker's words when a part lies outside of its volume
    List<MountPoint> mount(ContainerId id, List<MountPoint> mounts) throws IOException {
        List<MountPoint> all = new ArrayList<>();
        for (MountPoint mount : mounts) {
            all.add(mount.subpath().isEmpty() ? mount : mount.from(bind(Path.of(mount.source()), mount.subpath(), target(id, all.size()))));
        }
        return all;
    }

    private Path target(ContainerId id, int index) throws IOException {
        return Files.createDirectories(folder.resolve(id.hex())).resolve(Integer.toString(index));
    }

    private static Path bind(Path volume, String subpath, Path target) throws IOException {
        var calls = new FileCalls();
        int base = calls.open(volume, OpenFlags.PATH | OpenFlags.DIRECTORY);
        try {
            int part = calls.openBy(base, subpath.getBytes(UTF_8), OpenFlags.PATH,
                    OpenFlags.RESOLVE_BENEATH | OpenFlags.RESOLVE_NO_MAGICLINKS);
            try {
                Path opened = Path.of("/proc/thread-self/fd/" + part);
                if (Files.isDirectory(opened)) Files.createDirectory(target);
                else Files.createFile(target);
                Mounts.mount(new Mount(opened.toString(), "", MS_BIND | MS_REC, ""), target);
                return target;
            } finally {
                calls.close(part);
            }
        } catch (ErrnoException e) {
            if (e.errno() == Errno.EXDEV) {
                throw new InvalidRequest("path concatenation escapes the base directory, base: " + volume + ", subpath: " + subpath);
            }
            if (e.errno() != Errno.ENOENT && e.errno() != Errno.ENOTDIR) throw e;
            String why = e.errno() == Errno.ENOENT ? "no such file or directory" : "not a directory";
            throw new SystemFailure("cannot access path " + volume.resolve(subpath) + ": lstat " + volume.resolve(subpath) + ": " + why, e);
        } finally {
            calls.close(base);
        }
    }

    void unmount(ContainerId id) throws IOException {
        Path own = folder.resolve(id.hex());
        try (var targets = Files.newDirectoryStream(own)) {
            for (Path target : targets) {
                if (Mounts.isMounted(target)) Mounts.detach(target);
                Files.delete(target);
            }
        } catch (NoSuchFileException e) {
            return;
        }
        Files.delete(own);
    }
}
