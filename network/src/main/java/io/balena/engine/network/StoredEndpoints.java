package io.balena.engine.network;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.balena.engine.linux.Sysctl;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What must be known of running containers after the daemon was restarted: one small file for each endpoint, written once
/// and removed once.
///
/// A restart of the machine ends all containers and with them all endpoints. So the files carry the boot they belong to, are
/// void in any other, and are not synced: they need to survive the daemon, not the power. In a directory on tmpfs they cost
/// the flash nothing at all.
final class StoredEndpoints {
    private static final Logger LOG = System.getLogger(StoredEndpoints.class.getName());
    private static final String SUFFIX = ".json";
    private static final String TEMPORARY = ".tmp-";
    private static final JsonMapper JSON =
            JsonMapper.builder().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

    private record Stored(String bootId, Endpoint endpoint) {}

    private final Path directory;
    private final String bootId;

    private StoredEndpoints(Path directory, String bootId) {
        this.directory = directory;
        this.bootId = bootId;
    }

    static StoredEndpoints open(Path directory) throws IOException {
        Files.createDirectories(directory);
        return new StoredEndpoints(directory, Sysctl.read("kernel.random.boot_id"));
    }

    /// Reads all, and removes what is void, half written or not readable: none of it may keep the engine from starting.
    List<Endpoint> load() throws IOException {
        var endpoints = new ArrayList<Endpoint>();
        var useless = new ArrayList<Path>();
        try (var files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                var endpoint = read(file);
                if (endpoint == null) useless.add(file);
                else endpoints.add(endpoint);
            }
        }
        useless.forEach(StoredEndpoints::delete);
        return endpoints;
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "cannot remove " + file + ": " + e.getMessage());
        }
    }

    private Endpoint read(Path file) {
        String name = file.getFileName().toString();
        if (name.startsWith(TEMPORARY) || !name.endsWith(SUFFIX)) return null;
        try {
            var stored = JSON.readValue(Files.readAllBytes(file), Stored.class);
            if (stored == null || !bootId.equals(stored.bootId)) return null;
            check(stored.endpoint, file);
            return stored.endpoint;
        } catch (JacksonException e) {
            return damaged(file, e.getOriginalMessage());
        } catch (IOException | IllegalArgumentException e) {
            return damaged(file, e.getMessage());
        }
    }

    private static Endpoint damaged(Path file, String reason) {
        LOG.log(Level.WARNING, "ignoring the damaged network endpoint " + file + ": " + reason);
        return null;
    }

    private void check(Endpoint endpoint, Path file) {
        if (endpoint == null || endpoint.of() == null || endpoint.ports() == null || !file(endpoint.containerId()).equals(file)
                || !String.valueOf(endpoint.id()).matches("[0-9a-f]{64}")) {
            throw new IllegalArgumentException("not the endpoint of this container");
        }
        if (endpoint.addresses() == null || endpoint.mac() == null || endpoint.link() == null || endpoint.peers() == null) {
            throw new IllegalArgumentException("incomplete");
        }
    }

    void write(Endpoint endpoint) throws IOException {
        Path file = file(endpoint.containerId());
        Path temporary = directory.resolve(TEMPORARY + file.getFileName());
        try {
            Files.write(temporary, JSON.writeValueAsBytes(new Stored(bootId, endpoint)), CREATE, TRUNCATE_EXISTING, WRITE);
            Files.move(temporary, file, ATOMIC_MOVE);
        } catch (IOException e) {
            Files.deleteIfExists(temporary);
            throw e;
        }
    }

    void remove(String containerId) throws IOException {
        Files.deleteIfExists(file(containerId));
    }

    /// Of a network that is gone.
    void removeDirectory() throws IOException {
        Files.deleteIfExists(directory);
    }

    private Path file(String containerId) {
        return directory.resolve(containerId + SUFFIX);
    }
}
