package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.Quarantine;
import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// Every file of `image/overlay2` that is about images and their names; the layout is drawn in the package description.
///
/// Not safe for use by several writers.
final class ImageFiles {
    private static final Logger LOG = System.getLogger(ImageFiles.class.getName());
    /// moby's limit for manifests and configurations.
    private static final long LARGEST_CONFIG = 4 << 20;

    private final Path root;
    private final Path contents;
    private final Path metadata;
    private final Path repositories;
    private final Quarantine quarantine;

    private ImageFiles(Path dataRoot) {
        this.root = dataRoot.resolve("image/overlay2");
        this.contents = root.resolve("imagedb/content/sha256");
        this.metadata = root.resolve("imagedb/metadata/sha256");
        this.repositories = root.resolve("repositories.json");
        this.quarantine = new Quarantine(dataRoot);
    }

    /// Makes the folders and deletes temporary files that a crash left.
    static ImageFiles open(Path dataRoot) throws IOException {
        ImageFiles files = new ImageFiles(dataRoot);
        for (Path folder : List.of(files.contents, files.metadata)) makeFolder(folder);
        for (Path folder : List.of(files.root, files.contents)) deleteTemporaries(folder);
        return files;
    }

    List<ImageId> ids() throws IOException {
        List<ImageId> ids = new ArrayList<>();
        for (Path file : children(contents)) {
            try {
                ids.add(new ImageId(new Digest(file.getFileName().toString())));
            } catch (IllegalArgumentException e) {
                LOG.log(Level.WARNING, "ignoring a file that is no image: " + file);
            }
        }
        return ids;
    }

    /// The configuration of `id`, verified.
    ///
    /// @throws DamagedFile when the file is not what its name says
    byte[] config(ImageId id) throws IOException {
        Path file = contents.resolve(id.digest().hex());
        if (Files.size(file) > LARGEST_CONFIG) throw new DamagedFile(file, "too large");
        byte[] config = Files.readAllBytes(file);
        if (!Digest.of(config).equals(id.digest())) throw new DamagedFile(file, "its content has another digest");
        return config;
    }

    void writeConfig(ImageId id, byte[] config) throws IOException {
        DurableFile.replace(contents.resolve(id.digest().hex()), config);
    }

    Optional<ImageId> parent(ImageId id) throws IOException {
        return read(metadata.resolve(id.digest().hex()).resolve("parent")).map(text -> ImageId.parse(text.trim()));
    }

    void writeParent(ImageId id, ImageId parent) throws IOException {
        DurableFile.replace(metadataOf(id).resolve("parent"), parent.toString().getBytes(US_ASCII));
    }

    Optional<String> lastTagged(ImageId id) throws IOException {
        return read(metadata.resolve(id.digest().hex()).resolve("lastUpdated"));
    }

    void writeLastTagged(ImageId id, Instant when) throws IOException {
        DurableFile.replace(metadataOf(id).resolve("lastUpdated"), when.toString().getBytes(US_ASCII));
    }

    /// Removes the image for good: only then may its layers go, or a power cut would bring it back without them.
    void delete(ImageId id) throws IOException {
        Files.deleteIfExists(contents.resolve(id.digest().hex()));
        DurableFile.syncDirectory(contents);
        deleteMetadata(metadata.resolve(id.digest().hex()));
    }

    /// Metadata of images that are no more.
    void deleteStrayMetadata() throws IOException {
        for (Path folder : children(metadata)) {
            if (!Files.exists(contents.resolve(folder.getFileName()))) deleteMetadata(folder);
        }
    }

    /// @throws DamagedFile when the file is there and makes no sense
    References references() throws IOException {
        try {
            return References.parse(Files.readAllBytes(repositories));
        } catch (NoSuchFileException e) {
            return References.none();
        } catch (References.Malformed e) {
            throw new DamagedFile(repositories, e.getMessage());
        }
    }

    void writeReferences(References references) throws IOException {
        DurableFile.replace(repositories, references.toJson());
    }

    /// Moves a file that cannot be explained out of the way, see [Quarantine].
    void quarantine(DamagedFile damaged) throws IOException {
        quarantine.take(damaged.file, damaged.reason);
    }

    private Path metadataOf(ImageId id) throws IOException {
        Path folder = metadata.resolve(id.digest().hex());
        if (!Files.isDirectory(folder)) {
            makeFolder(folder);
            DurableFile.syncDirectory(metadata);
        }
        return folder;
    }

    private static Optional<String> read(Path file) throws IOException {
        try {
            return Optional.of(Files.readString(file, US_ASCII));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    private static void deleteMetadata(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) return;
        for (Path file : children(folder)) Files.deleteIfExists(file);
        Files.deleteIfExists(folder);
    }

    private static void deleteTemporaries(Path folder) throws IOException {
        for (Path file : everything(folder)) {
            if (isTemporary(file)) Files.deleteIfExists(file);
        }
    }

    private static List<Path> children(Path folder) throws IOException {
        return everything(folder).stream().filter(file -> !isTemporary(file)).toList();
    }

    private static List<Path> everything(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }

    private static boolean isTemporary(Path file) {
        return file.getFileName().toString().startsWith(".tmp-");
    }

    private static void makeFolder(Path folder) throws IOException {
        Files.createDirectories(folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    /// A file of the store holds something else than the store put there.
    static final class DamagedFile extends IOException {
        private static final long serialVersionUID = 1L;

        private final transient Path file;
        private final String reason;

        DamagedFile(Path file, String reason) {
            super(file + ": " + reason);
            this.file = file;
            this.reason = reason;
        }
    }
}
