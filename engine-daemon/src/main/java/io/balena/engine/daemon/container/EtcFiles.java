package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.network.Endpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The files the engine gives a container for its name and its view of the network.
///
/// They are made anew at each start, so none is ever synced: a power cut that loses one loses nothing.
final class EtcFiles {

    private final Path directory;
    private final DnsDefaults defaults;
    private final HostsFile hosts;
    private final IdentityMapping owners;

    /// @param directory `containers`
    /// @param owners says whose they are
    EtcFiles(Path directory, DnsDefaults defaults, HostsFile hosts, IdentityMapping owners) {
        this.hosts = hosts;
        this.owners = owners;
        this.directory = directory;
        this.defaults = defaults;
    }

    Path hostname(ContainerId id) {
        return directory.resolve(id.hex()).resolve("hostname");
    }

    Path hosts(ContainerId id) {
        return directory.resolve(id.hex()).resolve("hosts");
    }

    Path resolvConf(ContainerId id) {
        return directory.resolve(id.hex()).resolve("resolv.conf");
    }

    /// Writes them and says where they go.
    ///
    /// @return path in the container → file
    Map<String, Path> write(ContainerRecord record, List<Endpoint> endpoints, List<LegacyLinks.Link> links) throws IOException {
        write(hostname(record.id()), record.config().hostname() + "\n");
        write(hosts(record.id()), hosts.of(record, endpoints, links));
        write(resolvConf(record.id()), resolver(record).file());

        return files(record.id());
    }

    /// Path in the container → file, whether they have been written or not.
    Map<String, Path> files(ContainerId id) {
        Map<String, Path> files = new LinkedHashMap<>();
        files.put("/etc/resolv.conf", resolvConf(id));
        files.put("/etc/hostname", hostname(id));
        files.put("/etc/hosts", hosts(id));
        return files;
    }

    /// Of a running container that was put on a network.
    void addAddresses(ContainerRecord record, Endpoint endpoint) throws IOException {
        Optional<String> text = read(hosts(record.id()));
        if (text.isPresent()) write(hosts(record.id()), HostsFile.with(text.get(), record, endpoint));
    }

    /// Of a running container that was taken off a network.
    void removeAddresses(ContainerRecord record, Endpoint endpoint) throws IOException {
        Optional<String> text = read(hosts(record.id()));
        if (text.isPresent()) write(hosts(record.id()), HostsFile.without(text.get(), record, endpoint));
    }

    /// Of a container whose names the engine answers for, from the moment when it does. A file that somebody in the container has changed
    /// stays as it is.
    void resolveThroughEngine(ContainerRecord record) throws IOException {
        ResolverSettings settings = resolver(record);
        Path file = resolvConf(record.id());
        if (read(file).equals(Optional.of(settings.file()))) write(file, settings.fileThroughEngine());
    }

    /// Of a container that the engine does not answer any more.
    void resolveDirectly(ContainerRecord record) throws IOException {
        ResolverSettings settings = resolver(record);
        Path file = resolvConf(record.id());
        if (read(file).equals(Optional.of(settings.fileThroughEngine()))) write(file, settings.file());
    }

    ResolverSettings resolver(ContainerRecord record) {
        return ResolverSettings.of(record.host(), defaults);
    }

    private static Optional<String> read(Path file) {
        try {
            return Optional.of(Files.readString(file));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private void write(Path file, String content) throws IOException {
        byte[] bytes = content.getBytes(UTF_8);
        boolean isNew = !Files.exists(file);
        if (!isNew && Files.size(file) == bytes.length && Arrays.equals(Files.readAllBytes(file), bytes)) return;
        try {
            // In place: what is mounted into a running container must stay the same inode.
            Files.write(file, bytes, CREATE, WRITE, TRUNCATE_EXISTING);
            owners.giveToRoot(file);
        } catch (IOException e) {
            if (isNew) Files.deleteIfExists(file);
            throw e;
        }
    }
}
