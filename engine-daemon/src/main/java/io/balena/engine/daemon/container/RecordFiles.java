package io.balena.engine.daemon.container;

import static java.nio.file.attribute.PosixFilePermissions.fromString;

import io.balena.engine.daemon.container.ContainerStore.Durability;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The files that records of containers are stored in: moby's `config.v2.json` and `hostconfig.json` in each container's folder, and the
/// [StateJournal] for what changes with every start and end.
///
/// A `config.v2.json` of ours says how new it is, and the journal's entries that are newer hold beside it. It is brought up to date when
/// the journal needs the room, and when the engine is stopped. One that does not say it was written by Docker: what the journal has
/// of that container is older, and its next state goes into the file.
///
/// Without a journal, because the disk is full or broken, each state goes into the file.
final class RecordFiles implements AutoCloseable {
    static final String HOST_CONFIG = "hostconfig.json";
    private static final String CONFIG = "config.v2.json";
    private static final Logger LOG = System.getLogger(RecordFiles.class.getName());

    private final Path directory;
    private final EtcFiles etc;
    private Optional<StateJournal> journal;
    /// Those whose file says how new it is.
    private final Set<ContainerId> numbered = new HashSet<>();
    /// Those whose file is older than what was stored last.
    private final Map<ContainerId, ContainerRecord> ahead = new HashMap<>();
    /// The last state that was stored of each: what has not changed is not written.
    private final Map<ContainerId, Digest> stored = new ConcurrentHashMap<>();

    private RecordFiles(Path directory, EtcFiles etc, Optional<StateJournal> journal) {
        this.directory = directory;
        this.etc = etc;
        this.journal = journal;
    }

    /// @param directory `<data root>/containers`
    static RecordFiles open(Path directory, EtcFiles etc) {
        Path file = directory.toAbsolutePath().resolveSibling("container-states");
        try {
            return new RecordFiles(directory, etc, Optional.of(StateJournal.open(file)));
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Storing each state of a container in its own file, as there can be no journal: " + e.getMessage());
            return new RecordFiles(directory, etc, Optional.empty());
        }
    }

    /// @param folder a container's
    /// @throws IOException when there is no container's record in it; the message says what is wrong
    synchronized ContainerRecord load(Path folder) throws IOException {
        byte[] config = Files.readAllBytes(folder.resolve(CONFIG));
        OptionalLong number = ContainerFiles.stateNumber(config);
        byte[] newer = null;
        if (journal.isPresent() && ContainerId.isId(folder.getFileName().toString())) {
            var id = new ContainerId(folder.getFileName().toString());
            StateJournal.Entry entry = journal.get().found().get(id);
            if (number.isPresent()) {
                numbered.add(id);
                journal.get().startAfter(number.getAsLong());
            }
            if (entry != null && number.isPresent() && entry.number() > number.getAsLong()) newer = entry.state();
            else journal.get().forget(id);
        }
        ContainerRecord record = ContainerFiles.read(config, Files.readAllBytes(folder.resolve(HOST_CONFIG)), newer, directory.getParent());
        if (newer != null) ahead.put(record.id(), record);
        return record;
    }

    /// Stores a new container, in a folder that exists.
    void create(ContainerRecord record) throws IOException {
        Path folder = folder(record.id());
        DurableFile.create(folder.resolve(HOST_CONFIG), ContainerFiles.host(record), "rw-r--r--");
        DurableFile.replace(folder.resolve(CONFIG), ContainerFiles.config(record, etc, number()));
        DurableFile.syncDirectory(directory);
        DurableFile.deleteTemporaries(folder);
        stored.put(record.id(), Digest.of(ContainerFiles.state(record, etc)));
        if (number().isPresent()) synchronized (this) {
            numbered.add(record.id());
        }
    }

    private synchronized OptionalLong number() {
        return journal.isPresent() ? OptionalLong.of(journal.get().number()) : OptionalLong.empty();
    }

    /// Stores what has changed since `before`.
    void save(ContainerRecord before, ContainerRecord next, Durability durability) throws IOException {
        if (next.host() != before.host()) DurableFile.replace(folder(next.id()).resolve(HOST_CONFIG), ContainerFiles.host(next), "rw-r--r--");
        byte[] state = ContainerFiles.state(next, etc);
        Digest digest = Digest.of(state);
        if (digest.equals(stored.get(next.id()))) return;
        // What a container is called is not to be lost with the journal.
        boolean renamed = !next.name().equals(before.name());
        Optional<StateJournal> open = renamed ? Optional.empty() : append(next, state, durability);
        if (renamed) store(next, durability);
        if (open.isPresent() && durability == Durability.POWER_CUT) {
            try {
                open.get().sync();
            } catch (IOException e) {
                giveUp(e);
                store(next, durability);
            }
        }
        stored.put(next.id(), digest);
    }

    /// @return the journal, when it has taken the state
    private synchronized Optional<StateJournal> append(ContainerRecord next, byte[] state, Durability durability) throws IOException {
        if (journal.isPresent() && numbered.contains(next.id())) {
            try {
                for (ContainerId displaced : journal.get().displaced(state.length)) makeRoom(displaced);
                journal.get().append(next.id(), state);
                ahead.put(next.id(), next);
                return journal;
            } catch (IOException e) {
                giveUp(e);
            }
        }
        store(next, durability);
        return Optional.empty();
    }

    private void makeRoom(ContainerId displaced) throws IOException {
        ContainerRecord record = ahead.get(displaced);
        if (record == null) journal.orElseThrow().forget(displaced); // removed since
        else store(record, Durability.POWER_CUT);
    }

    /// What the journal holds stays valid, for as long as no file is newer.
    private synchronized void giveUp(IOException why) {
        if (journal.isEmpty()) return;
        LOG.log(Level.WARNING, "Storing each state of a container in its own file from now on: " + why.getMessage());
        journal = Optional.empty();
    }

    /// Writes a container's own file.
    private synchronized void store(ContainerRecord record, Durability durability) throws IOException {
        Path target = folder(record.id()).resolve(CONFIG);
        OptionalLong number = number();
        byte[] content = ContainerFiles.config(record, etc, number);
        switch (durability) {
            case POWER_CUT -> DurableFile.replace(target, content);
            case PROCESS_END -> replaceUnsynced(target, content);
        }
        ahead.remove(record.id());
        if (number.isPresent()) numbered.add(record.id());
        else numbered.remove(record.id());
        journal.ifPresent(open -> open.forget(record.id()));
    }

    private static void replaceUnsynced(Path target, byte[] content) throws IOException {
        Path temporary = target.resolveSibling(".tmp-" + target.getFileName());
        try {
            Files.write(temporary, content);
            Files.setPosixFilePermissions(temporary, fromString("rw-------"));
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /// A container is gone.
    synchronized void forget(ContainerId id) {
        stored.remove(id);
        numbered.remove(id);
        ahead.remove(id);
        journal.ifPresent(open -> open.forget(id));
    }

    private Path folder(ContainerId id) {
        return directory.resolve(id.hex());
    }

    @Override
    public synchronized void close() {
        for (ContainerRecord record : List.copyOf(ahead.values())) {
            try {
                store(record, Durability.POWER_CUT);
            } catch (IOException e) {
                LOG.log(Level.WARNING, "The state of container " + record.id() + " is in the journal alone: " + e.getMessage());
            }
        }
        journal.ifPresent(StateJournal::close);
        journal = Optional.empty();
    }
}
