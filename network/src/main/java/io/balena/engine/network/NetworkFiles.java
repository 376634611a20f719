package io.balena.engine.network;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;

/// The records of networks that users made, and notes of what is being done to them.
///
/// A record lies in the data root, `<id>.json`, durable. While a network is made, and from when its record is gone until it is taken
/// apart, a note of it lies in a folder on a tmpfs: it tells a daemon that starts after a killed one what to take away. A power cut
/// loses the note, and with it what it was about.
final class NetworkFiles {
    private static final Logger LOG = System.getLogger(NetworkFiles.class.getName());
    private static final String RECORD = ".json";
    private static final String TEMPORARY = ".tmp";
    /// A network of Docker's that was removed: Docker's own file still has it.
    private static final String REMOVED = ".removed";
    private static final JsonMapper JSON = JsonMapper.builder().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

    private final Path records;
    private final Path notes;

    private NetworkFiles(Path records, Path notes) {
        this.records = records;
        this.notes = notes;
    }

    /// @param records in the data root
    /// @param notes on a tmpfs
    static NetworkFiles open(Path records, Path notes) throws IOException {
        // The folder above is Docker's, which makes it so.
        Files.createDirectories(records, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-x---")));
        Files.createDirectories(notes);
        DurableFile.deleteTemporaries(records);
        try (var unfinished = Files.newDirectoryStream(notes, "*" + TEMPORARY)) {
            for (Path file : unfinished) Files.deleteIfExists(file);
        }
        return new NetworkFiles(records, notes);
    }

    /// A damaged record costs its network alone.
    List<NetworkRecord> load() throws IOException {
        return load(records);
    }

    private static List<NetworkRecord> load(Path directory) throws IOException {
        var all = new ArrayList<NetworkRecord>();
        try (var files = Files.newDirectoryStream(directory, "*" + RECORD)) {
            for (Path file : files) {
                try {
                    all.add(read(file));
                } catch (JacksonException e) {
                    LOG.log(Level.WARNING, "ignoring the damaged network " + file + ": " + e.getOriginalMessage());
                } catch (IOException | IllegalArgumentException e) {
                    LOG.log(Level.WARNING, "ignoring the damaged network " + file + ": " + e.getMessage());
                }
            }
        }
        return all;
    }

    private static NetworkRecord read(Path file) throws IOException {
        NetworkRecord record = JSON.readValue(Files.readAllBytes(file), NetworkRecord.class);
        if (record == null || record.id() == null || !file.getFileName().toString().equals(record.id() + RECORD) || record.name() == null
                || record.driver() == null || record.ipam() == null || record.ipam().pools() == null || record.ipam().asked() == null
                || record.options() == null || record.labels() == null) {
            throw new IllegalArgumentException("not the record of this network");
        }
        return record;
    }

    boolean knows(String id) {
        return Files.exists(records.resolve(id + RECORD)) || Files.exists(records.resolve(id + REMOVED));
    }

    void write(NetworkRecord record) throws IOException {
        DurableFile.replace(records.resolve(record.id() + RECORD), JSON.writeValueAsBytes(record));
    }

    /// Whatever becomes of the network now, it will not be there after a restart.
    void remove(NetworkRecord record, boolean madeByDocker) throws IOException {
        if (madeByDocker) DurableFile.replace(records.resolve(record.id() + REMOVED), new byte[0]);
        Files.deleteIfExists(records.resolve(record.id() + RECORD));
        DurableFile.syncDirectory(records);
    }

    void note(NetworkRecord record) throws IOException {
        Path temporary = notes.resolve(record.id() + TEMPORARY);
        Files.write(temporary, JSON.writeValueAsBytes(record));
        Files.move(temporary, notes.resolve(record.id() + RECORD), StandardCopyOption.ATOMIC_MOVE);
    }

    void forgetNote(NetworkRecord record) throws IOException {
        Files.deleteIfExists(notes.resolve(record.id() + RECORD));
    }

    /// Networks that a daemon was making or removing when it ended.
    List<NetworkRecord> unfinished() throws IOException {
        return load(notes);
    }
}
