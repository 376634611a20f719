package io.balena.engine.daemon.container;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.graphdriver.IdentityMapping;
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
    private static final String LOCAL_HOSTS = """
            127.0.0.1\tlocalhost
            ::1\tlocalhost ip6-localhost ip6-loopback
            fe00::0\tip6-localnet
            ff00::0\tip6-mcastprefix
            ff02::1\tip6-allnodes
            ff02::2\tip6-allrouters
            """;
    /// Where nothing better is known, as in Docker.
    private static final List<String> PUBLIC_SERVERS = List.of("8.8.8.8", "8.8.4.4");

    private final Path directory;
    private final DnsDefaults defaults;
    private final IdentityMapping owners;

    /// @param directory `containers`
    /// @param owners says whose they are
    EtcFiles(Path directory, DnsDefaults defaults, IdentityMapping owners) {
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
    /// @param address on the bridge; empty without one
    /// @param gateway what `host-gateway` stands for in `ExtraHosts`
    /// @return path in the container → file
    Map<String, Path> write(ContainerRecord record, Optional<String> address, Optional<String> gateway) throws IOException {
        HostConfig host = record.host();
        String name = record.config().hostname();
        String domain = record.config().domainname();
        write(hostname(record.id()), name + "\n");

        var hosts = new StringBuilder();
        if (host.networkMode() instanceof NetworkMode.Host) hosts.append(read(Path.of("/etc/hosts")).orElse(LOCAL_HOSTS));
        else hosts.append(LOCAL_HOSTS);
        for (String extra : host.texts("ExtraHosts")) {
            int colon = extra.indexOf(':');
            String target = extra.substring(colon + 1);
            hosts.append(target.equals("host-gateway") ? gateway.orElse("127.0.0.1") : target).append('\t').append(extra, 0, colon).append('\n');
        }
        address.ifPresent(own -> hosts.append(own).append('\t')
                .append(domain.isEmpty() ? name : name + "." + domain + " " + name).append('\n'));
        write(hosts(record.id()), hosts.toString());
        write(resolvConf(record.id()), resolver(host));

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
