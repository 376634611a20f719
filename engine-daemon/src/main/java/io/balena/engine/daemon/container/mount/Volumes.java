package io.balena.engine.daemon.container.mount;

import static java.nio.file.attribute.PosixFilePermissions.asFileAttribute;
import static java.nio.file.attribute.PosixFilePermissions.fromString;

import io.balena.engine.daemon.FileTree;
import io.balena.engine.daemon.container.mount.MountPoint.Type;
import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFileAttributes;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.regex.Pattern;

/// The volumes of a data root: `volumes/<name>/_data`.
public final class Volumes {
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]+");
    private static final SecureRandom RANDOM = new SecureRandom();

    private final Path directory;

    private Volumes(Path directory) {
        this.directory = directory;
    }

    /// @param dataRoot the engine's data root
    public static Volumes open(Path dataRoot) throws IOException {
        Path directory = dataRoot.resolve("volumes");
        Files.createDirectories(directory);
        Files.setPosixFilePermissions(directory, fromString("rwx-----x"));
        return new Volumes(directory);
    }

    static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }

    public Path folder(String name) {
        return directory.resolve(name).resolve("_data");
    }

    /// Gives `mount` its volume, made if there is none of that name.
    ///
    /// @param content what the image has at its destination; copied into a volume that is empty, and not followed when it is a link
    public MountPoint provide(MountPoint mount, Path content) throws IOException {
        if (mount.type() != Type.VOLUME) return mount;
        String name = mount.name().isEmpty() ? randomName() : mount.name();
        Path folder = folder(name);
        boolean made = make(folder);
        if (mount.copyUp() && Files.isDirectory(content, LinkOption.NOFOLLOW_LINKS) && isEmpty(folder)) copyTree(content, folder);
        if (made) DurableFile.syncDirectory(directory);
        return mount.at(name, folder.toString());
    }

    /// Whether `mount` asked for a volume without naming it, which goes with its container.
    public static boolean isAnonymous(MountPoint mount) {
        return mount.type() == Type.VOLUME && mount.name().matches("[0-9a-f]{64}");
    }

    public void remove(String name) throws IOException {
        FileTree.delete(directory.resolve(name));
    }

    private boolean make(Path folder) throws IOException {
        try {
            Files.createDirectory(folder.getParent(), asFileAttribute(fromString("rwx-----x")));
        } catch (FileAlreadyExistsException e) {
            if (Files.isDirectory(folder)) return false;
        }
        Files.createDirectories(folder);
        Files.setPosixFilePermissions(folder, fromString("rwxr-xr-x"));
        return true;
    }

    private static String randomName() {
        byte[] bytes = new byte[32];
        RANDOM.nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    private static boolean isEmpty(Path folder) throws IOException {
        try (var entries = Files.newDirectoryStream(folder)) {
            return !entries.iterator().hasNext();
        }
    }

    private static void copyTree(Path from, Path to) throws IOException {
        Files.walkFileTree(from, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) throws IOException {
                Path target = to.resolve(from.relativize(folder));
                if (!target.equals(to)) Files.createDirectory(target);
                takeOwner(folder, target);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                if (attributes.isOther()) return FileVisitResult.CONTINUE; // devices and sockets stay in the image
                Files.copy(file, to.resolve(from.relativize(file)), StandardCopyOption.COPY_ATTRIBUTES, LinkOption.NOFOLLOW_LINKS);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private static void takeOwner(Path from, Path to) throws IOException {
        var attributes = Files.readAttributes(from, PosixFileAttributes.class);
        Files.setAttribute(to, "unix:uid", Files.getAttribute(from, "unix:uid"));
        Files.setAttribute(to, "unix:gid", Files.getAttribute(from, "unix:gid"));
        Files.setAttribute(to, "unix:mode", Files.getAttribute(from, "unix:mode"));
        Files.setLastModifiedTime(to, attributes.lastModifiedTime());
    }
}
