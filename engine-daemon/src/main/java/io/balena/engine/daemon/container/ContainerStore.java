package io.balena.engine.daemon.container;

import static java.nio.file.attribute.PosixFilePermissions.asFileAttribute;
import static java.nio.file.attribute.PosixFilePermissions.fromString;

import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.graphdriver.Quarantine;
import io.balena.engine.graphdriver.TreeRemoval;
import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/// All containers, in memory and under `containers/`.
///
/// What is on disk, and what a power cut leaves:
///
/// * creation makes the folder, then the writable layer, then `hostconfig.json`, and last `config.v2.json`: a folder without it is an
///   unfinished creation, whose layer is found by the folder's name;
/// * removal first renames the folder to `.removing-<id>`, one synced step, after which it is finished sooner or later;
/// * volumes that nobody named are claimed by the folder before they are made, and before the folder is on its way out;
/// * in between, what changes is in the journal first, see [RecordFiles].
final class ContainerStore implements AutoCloseable {
    private static final String REMOVING = ".removing-";

    /// An empty file for each volume that is to go when the folder does, see [#claim]. One of those that a finished container loses.
    private static final String CLAIM = ".tmp-volume-";

    private final Path directory;
    private final Quarantine quarantine;
    private final RecordFiles files;
    private final IdentityMapping owners;
    private final Map<String, Container> byId = new ConcurrentHashMap<>();
    /// Taken before a container exists, so that of two who want a name at once one is told.
    private final Map<String, String> idByName = new ConcurrentHashMap<>();
    private final List<String> unfinished = new ArrayList<>();

    /// How much a write must survive. Each fsync(2) wears flash, so only what somebody was told is made safe against a power cut.
    enum Durability {
        /// Against a power cut: two syncs.
        POWER_CUT,
        /// Against the end of this process: none. For containers that a restart of the machine removes anyway (`--rm`).
        PROCESS_END
    }

    private ContainerStore(Path directory, RecordFiles files, IdentityMapping owners) {
        this.owners = owners;
        this.directory = directory;
        this.quarantine = new Quarantine(directory.toAbsolutePath().getParent());
        this.files = files;
    }

    /// Loads all containers. One whose files make no sense is moved to `quarantine`, with a warning; nothing of it is deleted.
    ///
    /// @param directory `<data root>/containers`
    /// @param owners says who must get through to what containers see of it
    static ContainerStore open(Path directory, EtcFiles etc, IdentityMapping owners) throws IOException {
        Files.createDirectories(directory);
        Files.setPosixFilePermissions(directory, fromString("rwx--x---"));
        owners.shareWithRoot(directory);
        var store = new ContainerStore(directory, RecordFiles.open(directory, etc), owners);
        List<Path> folders = new ArrayList<>();
        try (var entries = Files.newDirectoryStream(directory, Files::isDirectory)) {
            entries.forEach(folders::add);
        }
        for (Path folder : folders) store.load(folder);
        return store;
    }

    private void load(Path folder) throws IOException {
        String name = folder.getFileName().toString();
        if (name.startsWith(REMOVING)) {
            unfinished.add(name.substring(REMOVING.length()));
            return;
        }
        if (!ContainerId.isId(name)) return;
        try {
            ContainerRecord record = files.load(folder);
            record = record.loggingTo(logPath(record.id(), record.host()));
            if (!record.id().hex().equals(name)) throw new IOException("it holds the container " + record.id());
            if (idByName.putIfAbsent(record.name(), name) != null) throw new IOException("its name " + record.name() + " is taken");
            byId.put(name, new Container(record));
            DurableFile.deleteTemporaries(folder);
        } catch (NoSuchFileException e) {
            if (isUnfinished(folder)) unfinished.add(name);
            else quarantine.take(folder, e);
        } catch (IOException | RuntimeException e) {
            quarantine.take(folder, e);
        }
    }

    private static boolean isUnfinished(Path folder) throws IOException {
        try (var entries = Files.list(folder)) {
            return entries.allMatch(entry -> entry.getFileName().toString().equals(RecordFiles.HOST_CONFIG) || DurableFile.isTemporary(entry));
        }
    }

    /// Ids of containers whose creation or removal a crash interrupted: their layers are to be removed, then [#forget] called.
    List<String> unfinished() {
        return List.copyOf(unfinished);
    }

    Collection<Container> all() {
        return List.copyOf(byId.values());
    }

    /// Finds by id, name, or unambiguous prefix of an id, in this order.
    ///
    /// @throws NotFound `No such container: …`
    Container find(String idOrName) {
        if (idOrName.isEmpty()) throw new InvalidRequest("No container name or ID supplied");
        Container exact = byId.get(idOrName);
        if (exact != null) return exact;
        String id = idByName.get(idOrName.startsWith("/") ? idOrName.substring(1) : idOrName);
        if (id != null && byId.get(id) instanceof Container named) return named;
        Container found = null;
        for (Container each : byId.values()) {
            if (!each.id().hex().startsWith(idOrName)) continue;
            if (found != null) throw new InvalidRequest("multiple IDs found with provided prefix: " + idOrName);
            found = each;
        }
        if (found == null) throw NotFound.container(idOrName);
        return found;
    }

    Optional<Container> get(String id) {
        return Optional.ofNullable(byId.get(id));
    }

    /// @throws Conflict in Docker's words
    void reserve(String name, ContainerId id) {
        String other = idByName.putIfAbsent(name, id.hex());
        if (other == null) return;
        throw new Conflict("Conflict. The container name \"/" + name + "\" is already in use by container \"" + other
                + "\". You have to remove (or rename) that container to be able to reuse that name.");
    }

    void giveBack(String name, ContainerId id) {
        idByName.remove(name, id.hex());
    }

    /// Makes the folder by which an unfinished creation is recognized.
    void prepare(ContainerId id) throws IOException {
        Files.createDirectory(folder(id), asFileAttribute(fromString("rwx--x---")));
        owners.shareWithRoot(folder(id));
    }

    /// Notes that the volume `name`, which nobody else will want, goes with this container when its creation or removal is cut short.
    ///
    /// Not synced: on a file system with a journal, the note is on the disk before the volume.
    void claim(ContainerId id, String name) throws IOException {
        Path note = folder(id).resolve(CLAIM + name);
        if (!Files.exists(note)) Files.createFile(note);
    }

    /// The volumes that were claimed by one of the [#unfinished].
    List<String> claimed(String id) throws IOException {
        List<String> names = new ArrayList<>();
        for (Path folder : List.of(removing(id), directory.resolve(id))) {
            if (!Files.isDirectory(folder)) continue;
            try (var notes = Files.newDirectoryStream(folder, CLAIM + "*")) {
                for (Path note : notes) names.add(note.getFileName().toString().substring(CLAIM.length()));
            }
        }
        return names;
    }

    /// Writes a new container and makes it known, unless the writing fails.
    Container add(ContainerRecord record) throws IOException {
        files.create(record);
        var container = new Container(record);
        byId.put(record.id().hex(), container);
        return container;
    }

    /// Stores what changed, then makes it known. When writing fails, nothing has changed.
    void save(Container container, ContainerRecord next, Durability durability) throws IOException {
        files.save(container.record(), next, durability);
        container.publish(next);
    }

    /// Renames a container, in memory; the caller saves.
    void renamed(String from, ContainerId id) {
        idByName.remove(from, id.hex());
    }

    /// The point of no return of a removal.
    void beginRemoval(ContainerId id) throws IOException {
        try {
            Files.move(folder(id), removing(id.hex()), StandardCopyOption.ATOMIC_MOVE);
            DurableFile.syncDirectory(directory);
        } catch (NoSuchFileException e) {
            if (!Files.exists(removing(id.hex()))) throw e; // tried before, and got this far
        }
    }

    /// Takes a container out of memory; its folder and layer are gone or going.
    void remove(Container container) {
        String id = container.id().hex();
        idByName.remove(container.record().name(), id);
        byId.remove(id);
        files.forget(container.id());
    }

    /// Deletes what is left of a container that was never finished or is removed.
    void forget(String id) throws IOException {
        TreeRemoval.remove(removing(id));
        TreeRemoval.remove(directory.resolve(id));
    }

    /// Where a container logs. Docker stores it at the first start only, and a data root may have been moved since.
    ///
    /// @return empty when it has no log that is one file's
    String logPath(ContainerId id, HostConfig host) {
        return host.logDriver().equals("json-file") ? LogSettings.jsonFile(folder(id), id).toString() : "";
    }

    /// Leaves each container's own files as new as what is in memory, so that Docker can take them over.
    @Override
    public void close() {
        files.close();
    }

    Path folder(ContainerId id) {
        return directory.resolve(id.hex());
    }

    private Path removing(String id) {
        return directory.resolve(REMOVING + id);
    }
}
