package io.balena.engine.daemon.volume;

import static java.nio.file.attribute.PosixFilePermissions.asFileAttribute;
import static java.nio.file.attribute.PosixFilePermissions.fromString;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.graphdriver.TreeRemoval;
import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/// The folders of volumes: how they are found, made and removed. Every path is built here; the package description draws them.
final class VolumeFolders {
    private static final Logger LOG = System.getLogger(VolumeFolders.class.getName());
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]*");
    private static final String UNFINISHED = "volume-";
    private static final String REPLACES = "MetadataDb";
    /// What Docker keeps among the volumes. It could not open the data root were one of them a volume.
    private static final Set<String> DOCKERS_FILES = Set.of("metadata.db", "backingFsBlockDev");

    private final Path volumes;
    private final Path unfinished;
    private final IdentityMapping owners;
    /// What `metadata.db` says; it does not change while we run.
    private final Map<String, byte[]> docker = new ConcurrentHashMap<>();

    private VolumeFolders(Path dataRoot, IdentityMapping owners) {
        this.owners = owners;
        volumes = volumes(dataRoot);
        unfinished = dataRoot.resolve("tmp");
    }

    static VolumeFolders open(Path dataRoot, IdentityMapping owners) throws IOException {
        var folders = new VolumeFolders(dataRoot, owners);
        Files.createDirectories(folders.volumes);
        Files.setPosixFilePermissions(folders.volumes, fromString("rwx-----x"));
        if (!Files.exists(folders.unfinished)) Files.createDirectory(folders.unfinished, asFileAttribute(fromString("rwx------")));
        folders.sweep();
        return folders;
    }

    /// Removes what a crash left half made or half removed.
    private void sweep() throws IOException {
        List<Path> left = new ArrayList<>();
        try (var entries = Files.newDirectoryStream(unfinished, UNFINISHED + "*")) {
            entries.forEach(left::add);
        }
        for (Path each : left) discard(each);
    }

    private static Path volumes(Path dataRoot) {
        return dataRoot.resolve("volumes");
    }

    static Path data(Path dataRoot, String name) {
        return data(volumes(dataRoot).resolve(name));
    }

    static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }

    /// @throws IOException in Docker's words when its own file has, or will have, that name
    void requireFree(String name) throws IOException {
        Path folder = folder(name);
        if (!DOCKERS_FILES.contains(name) && !Files.isRegularFile(folder, LinkOption.NOFOLLOW_LINKS)) return;
        throw new IOException("create " + name + ": error while creating volume root path '" + folder + "': mkdir " + folder + ": not a directory");
    }

    List<Volume> scan() throws IOException {
        List<String> names = new ArrayList<>();
        try (var entries = Files.newDirectoryStream(volumes)) {
            for (Path entry : entries) {
                String name = entry.getFileName().toString();
                if (isName(name) && Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) names.add(name);
            }
        }
        docker.putAll(DockerVolumes.read(volumes));
        List<Volume> found = new ArrayList<>();
        for (String name : names) found.add(read(name));
        return found;
    }

    private Volume read(String name) throws IOException {
        Description described = describe(name);
        Optional<VolumeMount> mount;
        try {
            mount = json(options(folder(name))).flatMap(VolumeMount::read);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "The options of volume {0} cannot be read: {1}", name, e.getMessage());
            // Used without its mount, it would look empty, and take writes that belong elsewhere. This mount fails.
            mount = Optional.of(remembered(name, described).orElse(new VolumeMount("", "", "")));
        }
        if (described.options() == null && mount.isPresent() && !mount.get().device().isEmpty()) {
            described = new Description(described.labels(), mount.get().driverOptions());
        }
        return new Volume(name, data(folder(name)), created(folder(name)), described, mount);
    }

    private static Optional<VolumeMount> remembered(String name, Description described) {
        try {
            return VolumeMount.of(name, described.options());
        } catch (RuntimeException e) {
            return Optional.empty();
        }
    }

    /// The newest that was said of a volume.
    private Description describe(String name) {
        byte[] theirs = docker.get(name);
        Optional<JsonNode> ours = Optional.empty();
        try {
            ours = json(description(folder(name)));
        } catch (IOException e) {
            LOG.log(Level.WARNING, "The labels of volume {0} cannot be read: {1}", name, e.getMessage());
        }
        Description docker = theirs == null ? Description.NONE : parse(name, theirs);
        if (ours.isEmpty()) return docker;
        boolean changedSince = theirs != null && !Digest.of(theirs).toString().equals(ours.get().path(REPLACES).asText());
        return changedSince && !docker.saysNothing() ? docker : Description.read(ours.get());
    }

    private static Description parse(String name, byte[] json) {
        try {
            return Description.read(JSON.readTree(json));
        } catch (IOException e) {
            LOG.log(Level.WARNING, "What Docker says of volume {0} is no JSON: {1}", name, e.getMessage());
            return Description.NONE;
        }
    }

    private static Optional<JsonNode> json(Path file) throws IOException {
        try {
            JsonNode json = JSON.readTree(Files.readAllBytes(file));
            if (!json.isObject()) throw new IOException(file + " is no JSON object");
            return Optional.of(json);
        } catch (JsonProcessingException e) {
            throw new IOException(file + ": " + e.getOriginalMessage(), e);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    /// Where the file system does not know when a folder was made, this is when it was last changed; only its few entries do that.
    private static Instant created(Path folder) throws IOException {
        return Files.readAttributes(folder, BasicFileAttributes.class).creationTime().toInstant();
    }

    /// Begins a volume. Nobody sees it before [Staged#publish].
    Staged stage() throws IOException {
        byte[] random = new byte[8];
        RANDOM.nextBytes(random);
        return new Staged(unfinished.resolve(UNFINISHED + HexFormat.of().formatHex(random)));
    }

    /// A volume that is being made; deleted on close unless it was published.
    final class Staged implements AutoCloseable {
        private final Path folder;

        private Staged(Path folder) throws IOException {
            this.folder = folder;
            Files.createDirectory(folder, asFileAttribute(fromString("rwx-----x")));
            Files.setPosixFilePermissions(folder, fromString("rwx-----x")); // whatever the umask
            Files.createDirectory(data(folder));
            Files.setPosixFilePermissions(data(folder), fromString("rwxr-xr-x"));
            owners.giveToRoot(data(folder));
        }

        /// Copies `content` into the volume, durably.
        void fill(Path content) throws IOException {
            new TreeCopy(content, data(folder)).run();
        }

        /// Gives the volume its name, durably.
        Volume publish(String name, Description described, Optional<VolumeMount> mount) throws IOException {
            if (mount.isPresent()) DurableFile.create(options(folder), JSON.writeValueAsBytes(mount.get().toJson()), "rw-------");
            byte[] theirs = docker.get(name);
            if (!described.equals(Description.NONE) || theirs != null) {
                ObjectNode json = described.toJson(name);
                if (theirs != null) json.put(REPLACES, Digest.of(theirs).toString());
                DurableFile.create(description(folder), JSON.writeValueAsBytes(json), "rw-------");
            }
            DurableFile.syncDirectory(folder);
            Path target = VolumeFolders.this.folder(name);
            move(folder, target);
            DurableFile.syncDirectory(volumes);
            return new Volume(name, data(target), created(target), described, mount);
        }

        /// Puts what [#fill] copied in place of the empty folder of `volume`.
        void publishDataOf(Volume volume) throws IOException {
            Files.move(data(folder), volume.data(), StandardCopyOption.ATOMIC_MOVE);
            DurableFile.syncDirectory(volume.data().getParent());
        }

        @Override
        public void close() {
            discard(folder);
        }
    }

    /// Removes a volume, durably; only the space it takes is freed later, by [#discard] of what is returned.
    Path remove(String name) throws IOException {
        Path removed = stage().folder;
        Files.delete(data(removed));
        Path folder = folder(name);
        try {
            Files.move(folder, removed, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            // `volumes` is on another file system.
            TreeRemoval.remove(folder);
        }
        DurableFile.syncDirectory(volumes);
        return removed;
    }

    /// What cannot be deleted now is deleted at the next start.
    static void discard(Path folder) {
        try {
            TreeRemoval.remove(folder);
        } catch (IOException | RuntimeException e) {
            LOG.log(Level.WARNING, "What is left of a volume cannot be deleted: {0}", e.getMessage());
        }
    }

    private static void move(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            throw new IOException(to.getParent() + " and " + from.getParent() + " must be on one file system", e);
        }
    }

    private Path folder(String name) {
        return volumes.resolve(name);
    }

    private static Path data(Path folder) {
        return folder.resolve("_data");
    }

    private static Path options(Path folder) {
        return folder.resolve("opts.json");
    }

    private static Path description(Path folder) {
        return folder.resolve("volume.json");
    }
}
