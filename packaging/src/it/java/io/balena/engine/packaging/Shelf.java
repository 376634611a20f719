package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// A folder in memory whose files are copied by reference, in one step: an xfs in a file in `/dev/shm`.
///
/// `FICLONE` on xfs takes the source's inode lock against all writers before it writes dirty pages and shares the extents: every
/// write to the source that returned before is in the copy, none that begins after, and of one under way all or nothing.
final class Shelf implements AutoCloseable {
    private final Path root;

    private Shelf(Path root) {
        this.root = root;
    }

    static Shelf make() {
        assumeTrue(Files.isDirectory(Path.of("/dev/shm")), "needs /dev/shm");
        assumeTrue(Command.of("which", "mkfs.xfs").run().status() == 0, "needs xfsprogs");
        assumeTrue(Command.of("grep", "-qw", "xfs", "/proc/filesystems").run().status() == 0
                || Command.of("modprobe", "xfs").run().status() == 0, "needs xfs in the kernel");
        try {
            var shelf = new Shelf(Files.createTempDirectory(Path.of("/dev/shm"), "balena-it-"));
            try {
                Path image = shelf.root.resolve("xfs");
                Files.createDirectory(shelf.root.resolve("files"));
                Command.of("truncate", "-s", "6G", image.toString()).run().succeeded();
                Command.of("mkfs.xfs", "-q", "-m", "reflink=1", image.toString()).run().succeeded();
                Command.of("mount", "-o", "loop,noatime", image.toString(), shelf.root.resolve("files").toString()).run().succeeded();
                return shelf;
            } catch (IOException | RuntimeException | Error e) {
                shelf.close();
                throw e;
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Path file(String name) {
        return root.resolve("files").resolve(name);
    }

    /// A place to mount what is in the file of this name.
    Path mountPoint(String name) {
        try {
            return Files.createDirectories(root.resolve(name + ".mounted"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void copy(Path from, Path to) {
        Command.of("cp", "--reflink=always", from.toString(), to.toString()).run().succeeded();
    }

    /// Unmounts everything that is still mounted from here. A loop device lets go of its file only some time after its own unmounting.
    @Override public void close() {
        boolean done = Engine.become(Duration.ofSeconds(30), () -> {
            // Each is tried: one may be busy because of a disk whose file is on it.
            for (String point : mounted()) Command.of("umount", point).run();
            return mounted().isEmpty();
        });
        if (!done) throw new AssertionError("cannot be unmounted: " + mounted());
        Command.of("rm", "-rf", "--one-file-system", root.toString()).run();
    }

    private List<String> mounted() {
        try (var mounts = Files.lines(Path.of("/proc/self/mountinfo"))) {
            return mounts.map(line -> line.split(" ")[4]).filter(point -> point.startsWith(root + "/")).sorted(Comparator.reverseOrder()).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
