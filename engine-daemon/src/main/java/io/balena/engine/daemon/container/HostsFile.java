package io.balena.engine.daemon.container;

import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.network.Endpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// The text of a container's `/etc/hosts`.
///
/// @param gateway what `host-gateway` stands for in `ExtraHosts`: where containers reach the machine; empty without a bridge
record HostsFile(Optional<String> gateway) {
    private static final String LOCAL = """
            127.0.0.1\tlocalhost
            ::1\tlocalhost ip6-localhost ip6-loopback
            fe00::0\tip6-localnet
            ff00::0\tip6-mcastprefix
            ff02::1\tip6-allnodes
            ff02::2\tip6-allrouters
            """;

    String of(ContainerRecord record, List<Endpoint> endpoints, List<LegacyLinks.Link> links) throws IOException {
        var text = new StringBuilder();
        boolean sharesTheMachines = record.host().networkMode() instanceof NetworkMode.Host;
        Path machines = Path.of("/etc/hosts");
        text.append(sharesTheMachines && Files.exists(machines) ? Files.readString(machines) : LOCAL);
        for (String extra : record.host().texts("ExtraHosts")) {
            int colon = extra.indexOf(':');
            String target = extra.substring(colon + 1);
            text.append(target.equals("host-gateway") ? gateway.orElse("127.0.0.1") : target).append('\t').append(extra, 0, colon).append('\n');
        }
        for (LegacyLinks.Link link : links) text.append(link.hosts()).append('\n');
        for (Endpoint endpoint : endpoints) lines(record, endpoint).forEach(line -> text.append(line).append('\n'));
        return text.toString();
    }

    /// Its own addresses, each with its own names.
    private static List<String> lines(ContainerRecord record, Endpoint endpoint) {
        String name = record.config().hostname();
        String domain = record.config().domainname();
        String names = domain.isEmpty() ? name : name + "." + domain + " " + name;
        return endpoint.addresses().stream().map(each -> each.own().address() + "\t" + names).toList();
    }

    /// With what a container has come to have, after what is there: it may have lines of its own.
    static String with(String text, ContainerRecord record, Endpoint endpoint) {
        List<String> lines = new ArrayList<>(text.lines().toList());
        lines.addAll(lines(record, endpoint));
        return joined(lines);
    }

    static String without(String text, ContainerRecord record, Endpoint endpoint) {
        List<String> gone = lines(record, endpoint);
        return joined(text.lines().filter(line -> !gone.contains(line)).toList());
    }

    private static String joined(List<String> lines) {
        return lines.stream().map(line -> line + "\n").collect(Collectors.joining());
    }
}
