package io.balena.engine.linux;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Set;

/// The one way state reaches the disk.
///
/// The order is data, name, folder: a power cut at any line leaves the old file or the new one. The temporary name begins
/// with `.tmp-`, as moby's does; whoever opens a folder of state deletes what carries it ([#deleteTemporaries]).
public final class DurableFile {
    private static final String TEMPORARY = ".tmp-";

    private DurableFile() {}

    /// Replaces `target` by `content`, readable and writable by its owner alone.
    public static void replace(Path target, byte[] content) throws IOException {
        replace(target, content, "rw-------");
    }

    /// Replaces `target` by `content`. What has not changed is not written again.
    ///
    /// @param permissions as in `ls -l`, e.g. `rw-r--r--`
    public static void replace(Path target, byte[] content, String permissions) throws IOException {
        Path directory = target.toAbsolutePath().getParent();
        Set<PosixFilePermission> mode = PosixFilePermissions.fromString(permissions);
        if (isUnchanged(target, content, mode)) {
            // Durable already, as a rule: then these two write nothing.
            try (var file = FileChannel.open(target, READ)) {
                file.force(true);
            }
            syncDirectory(directory);
            return;
        }
        Path temporary = Files.createTempFile(directory, TEMPORARY + target.getFileName(), null);
        try {
            try (var file = FileChannel.open(temporary, WRITE)) {
                for (var bytes = ByteBuffer.wrap(content); bytes.hasRemaining(); ) file.write(bytes);
                Files.setPosixFilePermissions(temporary, mode);
                file.force(true);
            }
            Files.move(temporary, target, ATOMIC_MOVE);
            syncDirectory(directory);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private static boolean isUnchanged(Path target, byte[] content, Set<PosixFilePermission> mode) throws IOException {
        if (!Files.isRegularFile(target, NOFOLLOW_LINKS) || Files.size(target) != content.length) return false;
        return Files.getPosixFilePermissions(target, NOFOLLOW_LINKS).equals(mode) && Arrays.equals(Files.readAllBytes(target), content);
    }

    /// Makes `file`, which does not exist, with durable content. Its name is made durable by the [#syncDirectory] that follows, once
    /// for all files made in one folder.
    ///
    /// @param permissions as in `ls -l`, e.g. `rw-r--r--`
    public static void create(Path file, byte[] content, String permissions) throws IOException {
        var mode = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions));
        try (var channel = FileChannel.open(file, Set.of(CREATE_NEW, WRITE), mode)) {
            for (var bytes = ByteBuffer.wrap(content); bytes.hasRemaining(); ) channel.write(bytes);
            channel.force(true);
        }
    }

    /// Whether a file of state is one that was never given its name.
    public static boolean isTemporary(Path file) {
        return file.getFileName().toString().startsWith(TEMPORARY);
    }

    /// Deletes what a crash left of [#replace] in `directory`: nobody was told of it.
    public static void deleteTemporaries(Path directory) throws IOException {
        try (var files = Files.newDirectoryStream(directory, TEMPORARY + "*")) {
            for (Path file : files) Files.deleteIfExists(file);
        }
    }

    /// Makes the names in `directory` durable: after rename(2), link(2) or unlink(2), fsync(2) of the file is not enough.
    public static void syncDirectory(Path directory) throws IOException {
        try (var folder = FileChannel.open(directory, READ)) {
            folder.force(true);
        }
    }
}
