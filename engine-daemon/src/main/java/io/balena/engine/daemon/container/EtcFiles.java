package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.NetworkMode;
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
import java.util.Set;
import java.util.stream.Collectors;

/// The files the engine gives a container for its name and its view of the network.
///
/// They are made anew at each start, so none is ever synced: a power cut that loses one loses nothing.
final class EtcFiles {
    /// Where nothing better is known, as in Docker.
    private static final List<String> PUBLIC_SERVERS = List.of("8.8.8.8", "8.8.4.4");

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
        write(resolvConf(record.id()), resolver(record.host()));

        Map<String, Path> files = new LinkedHashMap<>();
        files.put("/etc/resolv.conf", resolvConf(record.id()));
        files.put("/etc/hostname", hostname(record.id()));
        files.put("/etc/hosts", hosts(record.id()));
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

    private String resolver(HostConfig host) {
        List<String> servers = firstGiven(host.texts("Dns"), defaults.servers());
        List<String> options = firstGiven(host.texts("DnsOptions"), defaults.options());
        List<String> search = firstGiven(host.texts("DnsSearch"), defaults.search());
        String own = hostResolver();
        boolean sharesNetwork = host.networkMode() instanceof NetworkMode.Host;
        if (servers.isEmpty() && options.isEmpty() && search.isEmpty() && sharesNetwork) return own;
        List<String> lines = own.lines().map(String::strip).toList();
        if (servers.isEmpty()) {
            servers = values(lines, "nameserver");
            // A loopback server of the host's is out of a container's reach, and IPv6 is not on the bridge.
            if (!sharesNetwork) servers = servers.stream().filter(s -> !isLoopback(s) && !s.contains(":")).toList();
            if (servers.isEmpty()) servers = PUBLIC_SERVERS;
        }
        if (search.isEmpty()) search = words(lines, "search");
        if (options.isEmpty()) options = words(lines, "options");
        var text = new StringBuilder();
        if (!search.isEmpty() && !search.equals(List.of("."))) text.append("search ").append(String.join(" ", search)).append('\n');
        for (String server : servers) text.append("nameserver ").append(server).append('\n');
        if (!options.isEmpty()) text.append("options ").append(String.join(" ", options)).append('\n');
        return text.toString();
    }

    /// With systemd-resolved, `/etc/resolv.conf` names only its loopback stub; the real servers are beside it.
    private static String hostResolver() {
        String own = read(Path.of("/etc/resolv.conf")).orElse("");
        Set<String> servers = values(own.lines().map(String::strip).toList(), "nameserver").stream().collect(Collectors.toSet());
        if (servers.equals(Set.of("127.0.0.53"))) return read(Path.of("/run/systemd/resolve/resolv.conf")).orElse(own);
        return own;
    }

    private static boolean isLoopback(String server) {
        return server.startsWith("127.") || server.equals("::1");
    }

    private static List<String> values(List<String> lines, String keyword) {
        return lines.stream().filter(line -> line.matches(keyword + "\\s+\\S.*")).map(line -> line.split("\\s+")[1]).toList();
    }

    private static List<String> words(List<String> lines, String keyword) {
        return lines.stream().filter(line -> line.matches(keyword + "\\s+\\S.*")).reduce((_, last) -> last)
                .map(line -> List.of(line.split("\\s+"))).map(words -> words.subList(1, words.size())).orElse(List.of());
    }

    private static List<String> firstGiven(List<String> own, List<String> defaults) {
        return own.isEmpty() ? defaults : own;
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
