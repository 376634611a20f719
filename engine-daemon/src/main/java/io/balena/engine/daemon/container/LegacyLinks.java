package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.network.Endpoint;
import io.balena.engine.network.address.Ip;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/// `--link` on the default bridge: names and variables by which a container finds another, and ports that are open to it although
/// containers do not reach each other.
///
/// @param store of containers
record LegacyLinks(ContainerStore store) {
    private static final List<String> IMAGE_VARIABLES = List.of("PATH=", "HOME=", "HOSTNAME=", "TERM=");

    /// @param other that is linked to
    /// @param alias under which it is known
    record Link(ContainerRecord other, String alias) {
        Ip address() {
            String address = other.network().on("bridge").map(on -> on.document().path("IPAddress").asText("")).orElse("");
            if (address.isEmpty()) {
                throw new InvalidRequest("Cannot link to /" + other.name() + ", as it does not belong to the default network");
            }
            return Ip.parse(address);
        }

        /// A line of `/etc/hosts`.
        String hosts() {
            String names = alias + " " + other.config().hostname();
            return address() + "\t" + (other.config().hostname().equals(other.name()) || alias.equals(other.name()) ? names : names + " " + other.name());
        }
    }

    /// The links of a new container, as they are stored: `/other:/name/alias`.
    ///
    /// @throws EngineException when there is no such container
    HostConfig resolved(HostConfig host, String name) {
        if (wanted(host).isEmpty()) return host;
        List<String> stored = new ArrayList<>();
        for (String link : wanted(host)) {
            String[] parts = link.split(":", 2);
            stored.add("/" + find(parts[0]).name() + ":/" + name + "/" + (parts.length > 1 ? parts[1] : parts[0]));
        }
        return host.with("Links", stored);
    }

    /// On a network of the user's own they say nothing, as in Docker: there the endpoint has links, and the others have names.
    private static List<String> wanted(HostConfig host) {
        return host.networkMode() instanceof NetworkMode.Named ? List.of() : host.texts("Links");
    }

    private ContainerRecord find(String other) {
        try {
            return store.find(other).record();
        } catch (NotFound e) {
            throw new InvalidRequest("could not get container for " + other + ": " + e.getMessage());
        }
    }

    /// The links of a container that is about to start, whose others must run.
    List<Link> of(ContainerRecord container) {
        List<Link> links = new ArrayList<>();
        for (String stored : wanted(container.host())) {
            String[] parts = stored.split(":", 2);
            if (parts.length < 2) continue;
            String alias = parts[1].substring(parts[1].lastIndexOf('/') + 1);
            ContainerRecord other = find(parts[0].startsWith("/") ? parts[0].substring(1) : parts[0]);
            if (!other.state().isAlive()) {
                throw new SystemFailure("Cannot link to a non running container: /" + other.name() + " AS " + parts[1], null);
            }
            links.add(new Link(other, alias));
        }
        return links;
    }

    /// What is open to a container on the default bridge.
    List<Endpoint.Peer> peers(ContainerRecord container) {
        List<Endpoint.Peer> peers = new ArrayList<>();
        for (Link link : of(container)) {
            for (String port : PortRequests.exposed(link.other())) peers.add(new Endpoint.Peer(link.address(), protocol(port), number(port)));
        }
        return peers;
    }

    /// The variables by which programs of the time before names found each other.
    List<String> environment(ContainerRecord container) {
        List<String> all = new ArrayList<>();
        for (Link link : of(container)) {
            String prefix = link.alias().toUpperCase(Locale.ROOT).replace('-', '_');
            List<String> ports = PortRequests.exposed(link.other()).stream()
                    .sorted(Comparator.comparing(LegacyLinks::number).thenComparing(port -> !protocol(port).equals("tcp"))).toList();
            if (!ports.isEmpty()) all.add(prefix + "_PORT=" + url(link, ports.getFirst()));
            for (String port : ports) {
                String one = prefix + "_PORT_" + number(port) + "_" + protocol(port).toUpperCase(Locale.ROOT);
                all.add(one + "=" + url(link, port));
                all.add(one + "_ADDR=" + link.address());
                all.add(one + "_PORT=" + number(port));
                all.add(one + "_PROTO=" + protocol(port));
            }
            all.add(prefix + "_NAME=/" + container.name() + "/" + link.alias());
            link.other().config().environment().stream().filter(entry -> entry.contains("=") && IMAGE_VARIABLES.stream().noneMatch(entry::startsWith))
                    .forEach(entry -> all.add(prefix + "_ENV_" + entry));
        }
        return all;
    }

    private static String url(Link link, String port) {
        return protocol(port) + "://" + link.address() + ":" + number(port);
    }

    private static String protocol(String port) {
        return port.substring(port.indexOf('/') + 1);
    }

    private static int number(String port) {
        return Integer.parseInt(port.substring(0, port.indexOf('/')));
    }
}
