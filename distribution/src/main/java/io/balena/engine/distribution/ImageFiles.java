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
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// Every file of `image/overlay2` that is about images and their names; the layout is drawn in the package description.
///
/// Not safe for use by several writers.
final class ImageFiles {
    private static final Logger LOG = System.getLogger(ImageFiles.class.getName());
    /// moby's limit for manifests and configurations, in bytes.
    private static final long LARGEST_CONFIG = 4 << 20;
    private static final long LARGEST_REFERENCES = 64 << 20;
    /// Ours alone; Docker ignores it.
    private static final String CHANGING = "changing";
    private static final Set<String> METADATA = Set.of("parent", "lastUpdated", CHANGING);

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
        for (Path folder : List.of(files.root, files.contents, files.metadata)) DurableFile.deleteTemporaries(folder);
        return files;
    }

    List<ImageId> ids() throws IOException {
        List<ImageId> ids = new ArrayList<>();
        for (Path file : everything(contents)) {
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
    /// @throws DamagedFile when the file is not what its name says, or cannot be read
    byte[] config(ImageId id) throws IOException {
        Path file = configFile(id);
        byte[] config = content(file, LARGEST_CONFIG);
        if (!Digest.of(config).equals(id.digest())) throw new DamagedFile(file, "its content has another digest");
        return config;
    }

    Path configFile(ImageId id) {
        return contents.resolve(id.digest().hex());
    }

    void writeConfig(ImageId id, byte[] config) throws IOException {
        DurableFile.replace(configFile(id), config);
    }

    Optional<ImageId> parent(ImageId id) throws IOException {
        return read(metadata.resolve(id.digest().hex()).resolve("parent")).map(text -> ImageId.parse(text.trim()));
    }

    void writeParent(ImageId id, ImageId parent) throws IOException {
        DurableFile.replace(metadataOf(id).resolve("parent"), parent.toString().getBytes(US_ASCII));
    }

    /// @return empty also when what is there is no time, as Docker may leave it after a power cut
    Optional<String> lastTagged(ImageId id) throws IOException {
        return read(metadata.resolve(id.digest().hex()).resolve("lastUpdated")).filter(ImageFiles::isTime);
    }

    void writeLastTagged(ImageId id, Instant when) throws IOException {
        DurableFile.replace(metadataOf(id).resolve("lastUpdated"), Rfc3339.text(when).getBytes(US_ASCII));
    }

    /// Notes that `id` is about to come with its first names, or to go after its last: between the two writes that this takes, a
    /// power cut leaves an image without a name, which then is nobody's ([#wasChanging]).
    ///
    /// Not synced: on file systems with a journal, it is on the disk before the first of the two. On a disk that is full it is left
    /// out, as removing must be possible there.
    void beginChange(ImageId id) {
        Path folder = metadata.resolve(id.digest().hex());
        try {
            makeFolder(folder);
            Files.write(folder.resolve(CHANGING), new byte[0]);
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "a power cut now would leave image " + id + " without names", e);
        }
    }

    void endChange(ImageId id) {
        Path folder = metadata.resolve(id.digest().hex());
        try {
            Files.deleteIfExists(folder.resolve(CHANGING));
            if (everything(folder).isEmpty()) Files.deleteIfExists(folder);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "cannot note that image " + id + " is settled: " + e);
        }
    }

    boolean wasChanging(ImageId id) {
        return Files.exists(metadata.resolve(id.digest().hex()).resolve(CHANGING));
    }

    /// Removes the image for good: only then may its layers go, or a power cut would bring it back without them.
    void delete(ImageId id) throws IOException {
        Files.deleteIfExists(contents.resolve(id.digest().hex()));
        DurableFile.syncDirectory(contents);
        deleteMetadata(metadata.resolve(id.digest().hex()));
    }

    /// Deletes the metadata of images that are no more, and what a crash left of writing others.
    void tidyMetadata() throws IOException {
        for (Path folder : everything(metadata)) {
            if (!Files.isDirectory(folder) || !everything(folder).stream().allMatch(ImageFiles::isMetadata)) {
                quarantine.take(folder, "not the metadata of an image");
            } else if (Files.exists(contents.resolve(folder.getFileName()))) DurableFile.deleteTemporaries(folder);
            else deleteMetadata(folder);
        }
    }

    private static boolean isMetadata(Path file) {
        return Files.isRegularFile(file) && (DurableFile.isTemporary(file) || METADATA.contains(file.getFileName().toString()));
    }

    /// @throws DamagedFile when the file is there and makes no sense, or cannot be read
    References references() throws IOException {
        try {
            return References.parse(content(repositories, LARGEST_REFERENCES));
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

    /// A bad block of the medium damages a file like anything else does: it costs that file.
    private static byte[] content(Path file, long largest) throws IOException {
        try {
            if (Files.size(file) > largest) throw new DamagedFile(file, "too large");
            return Files.readAllBytes(file);
        } catch (DamagedFile | NoSuchFileException e) {
            throw e;
        } catch (IOException e) {
            throw new DamagedFile(file, e.toString());
        }
    }

    private static boolean isTime(String text) {
        try {
            OffsetDateTime.parse(text);
            return true;
        } catch (DateTimeParseException e) {
            return false;
        }
    }

    private static void deleteMetadata(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) return;
        for (Path file : everything(folder)) Files.deleteIfExists(file);
        Files.deleteIfExists(folder);
    }

    /// @return nothing when it is no folder
    private static List<Path> everything(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) return List.of();
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
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
