package io.balena.engine.daemon.container;

import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.NetworkMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// Whom a container asks for names: by its own settings, else the engine's, else the machine's `/etc/resolv.conf`.
///
/// @param verbatim the machine's file, for who shares its network and has no settings; else empty
/// @see <a href="https://man7.org/linux/man-pages/man5/resolv.conf.5.html">resolv.conf(5)</a>
record ResolverSettings(String verbatim, List<Server> servers, List<String> options, List<String> search) {
    /// Where nothing better is known, as in Docker.
    private static final List<String> PUBLIC_SERVERS = List.of("8.8.8.8", "8.8.4.4");
    private static final String ENGINE = "127.0.0.11";
    private static final String DOTS = "ndots:";

    /// @param ofMachine the machine's own choice, which may be an address that only the machine can reach
    record Server(String address, boolean ofMachine) {
        boolean isLoopback() {
            return address.startsWith("127.") || address.equals("::1");
        }

        private boolean isReachableFromBridges() {
            return !ofMachine || !isLoopback() && !address.contains(":");
        }
    }

    static ResolverSettings of(HostConfig host, DnsDefaults defaults) {
        List<String> servers = firstGiven(host.texts("Dns"), defaults.servers());
        List<String> options = firstGiven(host.texts("DnsOptions"), defaults.options());
        List<String> search = firstGiven(host.texts("DnsSearch"), defaults.search());
        String own = machineFile();
        boolean sharesNetwork = host.networkMode() instanceof NetworkMode.Host;
        String verbatim = servers.isEmpty() && options.isEmpty() && search.isEmpty() && sharesNetwork ? own : "";
        List<String> lines = own.lines().map(String::strip).toList();
        boolean ofMachine = servers.isEmpty() && !sharesNetwork;
        if (servers.isEmpty()) servers = values(lines, "nameserver");
        if (search.isEmpty()) search = words(lines, "search");
        if (options.isEmpty()) options = words(lines, "options");
        return new ResolverSettings(verbatim, servers.stream().map(each -> new Server(each, ofMachine)).toList(), options, search);
    }

    /// `resolv.conf` of a container that asks the servers itself.
    String file() {
        if (!verbatim.isEmpty()) return verbatim;
        // A loopback server of the host's is out of a container's reach, and IPv6 is not on the bridge.
        List<String> reachable = servers.stream().filter(Server::isReachableFromBridges).map(Server::address).toList();
        return text(reachable.isEmpty() ? PUBLIC_SERVERS : reachable, options);
    }

    /// `resolv.conf` of a container that asks the engine. Names without a dot are others' first, unless the user said something else.
    String fileThroughEngine() {
        List<String> all = new ArrayList<>(options);
        if (!domainsWanted()) all.add(DOTS + "0");
        return text(List.of(ENGINE), all);
    }

    /// Whom the engine asks for such a container.
    List<Server> serversOfEngine() {
        if (servers.isEmpty()) return PUBLIC_SERVERS.stream().map(each -> new Server(each, false)).toList();
        return servers;
    }

    /// Whether a name without a dot means something in a search domain only.
    boolean domainsWanted() {
        return options.stream().anyMatch(option -> option.startsWith(DOTS) && option.length() > DOTS.length() && !option.equals(DOTS + "0"));
    }

    private String text(List<String> servers, List<String> options) {
        var text = new StringBuilder();
        if (!search.isEmpty() && !search.equals(List.of("."))) text.append("search ").append(String.join(" ", search)).append('\n');
        for (String server : servers) text.append("nameserver ").append(server).append('\n');
        if (!options.isEmpty()) text.append("options ").append(String.join(" ", options)).append('\n');
        return text.toString();
    }

    /// With systemd-resolved, `/etc/resolv.conf` names only its loopback stub; the real servers are beside it.
    private static String machineFile() {
        String own = read(Path.of("/etc/resolv.conf"), "");
        Set<String> servers = Set.copyOf(values(own.lines().map(String::strip).toList(), "nameserver"));
        return servers.equals(Set.of("127.0.0.53")) ? read(Path.of("/run/systemd/resolve/resolv.conf"), own) : own;
    }

    private static String read(Path file, String otherwise) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return otherwise;
        }
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
}
