package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/// An ext4 file system on a loop device whose medium can be copied at any moment, as a power cut at that moment would leave it.
///
/// The copy is sound because a [Shelf] copies the loop device's file in one step: it holds exactly the writes that the device had
/// completed, in the order in which it completed them, and for those under way whole ones or none. What ext4, the page cache
/// and the engine had in memory is not in it.
///
/// The file system is mounted with `noauto_da_alloc`: ext4 then does not flush a file by itself because it was renamed over
/// another, so that a forgotten fsync(2) shows as an empty file, as it does on other file systems.
final class Disk {
    /// Whether the medium keeps what it was told to write.
    enum Cache {
        /// What was written is there.
        NONE,
        /// As in most flash and hard disks: what was written since the last flush command is lost, all or part of it. Here that cache
        /// is the page cache of a second file system in between, whose medium is what gets copied: a flush of the loop device is an
        /// fsync(2) of its file there.
        VOLATILE
    }

    private static final String INNER = "medium";

    private final Shelf shelf;
    private final String name;
    private final Cache cache;
    private Path mountedAt;

    private Disk(Shelf shelf, String name, Cache cache) {
        this.shelf = shelf;
        this.name = name;
        this.cache = cache;
    }

    /// @param options for mkfs.ext4
    static Disk make(Shelf shelf, String name, int mebibytes, Cache cache, String... options) {
        var disk = new Disk(shelf, name, cache);
        var file = shelf.file(name);
        if (cache == Cache.VOLATILE) {
            // Written through once, so that later writes change no metadata of this file system, which has no journal.
            Command.of("truncate", "-s", mebibytes + 24 + "M", file.toString()).run().succeeded();
            Command.of("mkfs.ext4", "-q", "-m", "0", "-N", "64", "-O", "^has_journal", file.toString()).run().succeeded();
            Command.of("mount", "-o", "loop,noatime", file.toString(), shelf.mountPoint(name).toString()).run().succeeded();
            file = shelf.mountPoint(name).resolve(INNER);
            Command.of("dd", "if=/dev/zero", "of=" + file, "bs=1M", "count=" + mebibytes, "conv=fsync").run().endedWith(0);
        } else {
            Command.of("truncate", "-s", mebibytes + "M", file.toString()).run().succeeded();
        }
        Command.of("mkfs.ext4", "-q", "-m", "0").and(options).and(file.toString()).run().succeeded();
        if (cache == Cache.VOLATILE) unmount(shelf.mountPoint(name));
        return disk;
    }

    void mount(Path at) {
        try {
            Files.createDirectories(at);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Path file = shelf.file(name);
        if (cache == Cache.VOLATILE) {
            Command.of("mount", "-o", "loop,noatime", file.toString(), shelf.mountPoint(name).toString()).run().succeeded();
            file = shelf.mountPoint(name).resolve(INNER);
        }
        Command.of("mount", "-o", "loop,noauto_da_alloc", file.toString(), at.toString()).run().succeeded();
        mountedAt = at;
    }

    /// What would be left of it if the power went now.
    Disk copy(String copyName) {
        var copy = new Disk(shelf, copyName, cache);
        shelf.copy(shelf.file(name), shelf.file(copyName));
        return copy;
    }

    void unmount() {
        if (mountedAt == null) return;
        unmount(mountedAt);
        if (cache == Cache.VOLATILE) unmount(shelf.mountPoint(name));
        mountedAt = null;
    }

    /// A loop device lets go of its file only some time after its own unmounting.
    private static void unmount(Path point) {
        boolean done = Engine.become(Duration.ofSeconds(30), () -> Command.of("umount", point.toString()).run().status() == 0);
        if (!done) throw new AssertionError(point + " cannot be unmounted");
    }

    /// Bytes and inodes in use, when all that was removed is given back.
    Use use() {
        Command.of("sync", "-f", mountedAt.toString()).run().succeeded();
        var words = Command.of("stat", "-f", "-c", "%S %b %f %c %d %a", mountedAt.toString()).run().succeeded().split(" ");
        long block = Long.parseLong(words[0]);
        return new Use((Long.parseLong(words[1]) - Long.parseLong(words[2])) * block, Long.parseLong(words[5]) * block,
                Long.parseLong(words[3]) - Long.parseLong(words[4]));
    }

    /// @param freeBytes that are to be had: ext4 keeps some for itself
    record Use(long bytes, long freeBytes, long inodes) {}

    void delete() {
        unmount();
        try {
            Files.deleteIfExists(shelf.file(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
