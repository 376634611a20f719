package io.balena.engine.daemon.volume;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.graphdriver.TreeRemoval;
import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Copies what an image has at some path into a volume: owners, modes, times, extended attributes of files, hard links, devices.
/// Symbolic links are copied, never followed. They, pipes and devices get the time of the copy. Sockets are left out: nobody listens on
/// a copy.
final class TreeCopy extends SimpleFileVisitor<Path> {
    private static final int TYPE = 0170000;
    private static final int SOCKET = 0140000;

    private final Path from;
    private final Path to;
    private final FileCalls calls = new FileCalls();
    private final Map<Object, Path> linked = new HashMap<>();
    /// In `to` itself.
    private final List<Path> copied = new ArrayList<>();

    /// @param to an existing, empty folder; it gets owner and mode of `from`
    TreeCopy(Path from, Path to) {
        this.from = from;
        this.to = to;
    }

    /// Returns when the copy is on the disk. A copy that fails leaves nothing.
    void run() throws IOException {
        try {
            copy();
        } catch (IOException e) {
            removeCopied(e);
            throw e;
        }
    }

    /// What somebody else has put there meanwhile, who uses the volume already, stays.
    private void removeCopied(IOException why) {
        for (Path each : copied) {
            try {
                TreeRemoval.remove(each);
            } catch (IOException e) {
                why.addSuppressed(e);
            }
        }
    }

    private void copy() throws IOException {
        Files.walkFileTree(from, this);
        int fd = calls.open(to, OpenFlags.RDONLY | OpenFlags.DIRECTORY);
        try {
            calls.syncFileSystem(fd);
        } finally {
            calls.close(fd);
        }
    }

    /// Of what is about to be made: nothing else has that name.
    private Path target(Path source) throws IOException {
        if (source.equals(from)) return to;
        Path target = to.resolve(from.relativize(source));
        if (target.getParent().equals(to)) {
            if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) throw new FileAlreadyExistsException(target.toString());
            copied.add(target);
        }
        return target;
    }

    @Override
    public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) throws IOException {
        Path target = target(folder);
        if (!target.equals(to)) Files.createDirectory(target);
        takeOwner(folder, target);
        return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
        Map<String, Object> stat = Files.readAttributes(file, "unix:mode,nlink,rdev,fileKey", LinkOption.NOFOLLOW_LINKS);
        Path target = target(file);
        if ((int) stat.get("nlink") > 1) {
            Path first = linked.putIfAbsent(stat.get("fileKey"), target);
            if (first != null) {
                Files.createLink(target, first);
                return FileVisitResult.CONTINUE;
            }
        }
        if (attributes.isOther()) makeSpecial(file, target, (int) stat.get("mode"), (long) stat.get("rdev"));
        else Files.copy(file, target, StandardCopyOption.COPY_ATTRIBUTES, LinkOption.NOFOLLOW_LINKS);
        return FileVisitResult.CONTINUE;
    }

    private void makeSpecial(Path file, Path target, int mode, long device) throws IOException {
        if ((mode & TYPE) == SOCKET) return;
        int folder = calls.open(target.getParent(), OpenFlags.PATH | OpenFlags.DIRECTORY);
        try {
            byte[] name = target.getFileName().toString().getBytes(UTF_8);
            // As makedev(3) has it.
            int major = (int) (device >>> 8 & 0xfff | device >>> 32 & ~0xfff);
            int minor = (int) (device & 0xff | device >>> 12 & ~0xff);
            calls.mknod(folder, name, 0, name.length, mode, major, minor);
        } finally {
            calls.close(folder);
        }
        takeOwner(file, target);
    }

    @Override
    public FileVisitResult postVisitDirectory(Path folder, IOException failure) throws IOException {
        if (failure != null) throw failure;
        FileTime modified = Files.getLastModifiedTime(folder);
        Files.setLastModifiedTime(to.resolve(from.relativize(folder)), modified);
        return FileVisitResult.CONTINUE;
    }

    private static void takeOwner(Path from, Path to) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(from, "unix:uid,gid,mode");
        Files.setAttribute(to, "unix:uid", attributes.get("uid"));
        Files.setAttribute(to, "unix:gid", attributes.get("gid"));
        Files.setAttribute(to, "unix:mode", attributes.get("mode"));
    }
}
