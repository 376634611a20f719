package io.balena.engine.dns;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What a container is called on its networks, and whom its resolver asks about others.
///
/// @param networks in the order of its links
/// @param servers in the order in which they are asked; none for a container that must not ask anybody outside
/// @param domainsWanted names without a dot are not sent to servers: the user said that they mean something in a search domain only
public record ContainerNames(String container, List<Membership> networks, List<Server> servers, boolean domainsWanted) {

    /// @param names the first of them is what the container's addresses are called
    /// @param links names for others that this container alone has: what they stand for
    public record Membership(String networkId, String networkName, List<InetAddress> addresses, List<String> names, Map<String, String> links) {}

    /// @param ofHost to be asked from the host's network: its address means something else in the container
    public record Server(InetAddress address, boolean ofHost) {}

    /// For [#decode], which may be another version's: a word and its values in each line. Unknown words are passed over.
    public byte[] encode() {
        StringBuilder text = new StringBuilder();
        for (Membership network : networks) {
            line(text, "network", network.networkId, network.networkName);
            for (InetAddress address : network.addresses) line(text, "address", address.getHostAddress());
            for (String name : network.names) line(text, "name", name);
            for (Map.Entry<String, String> link : network.links.entrySet()) line(text, "link", link.getKey(), link.getValue());
        }
        for (Server server : servers) line(text, server.ofHost ? "host-server" : "server", server.address.getHostAddress());
        if (domainsWanted) line(text, "domains");
        return text.toString().getBytes(UTF_8);
    }

    /// Whoever has a blank in its name cannot be asked for.
    private static void line(StringBuilder text, String... words) {
        for (String word : words) {
            for (int i = 0; i < word.length(); i++) if (word.charAt(i) <= ' ') return;
            if (word.isEmpty()) return;
        }
        text.append(String.join(" ", words)).append('\n');
    }

    /// @throws IOException for what [#encode] would not have written
    public static ContainerNames decode(String container, byte[] encoded) throws IOException {
        List<Membership> networks = new ArrayList<>();
        List<Server> servers = new ArrayList<>();
        boolean domains = false;
        for (String line : new String(encoded, UTF_8).split("\n")) {
            String[] words = line.split(" ");
            if (words.length < (words[0].equals("domains") ? 1 : words[0].equals("network") || words[0].equals("link") ? 3 : 2)) continue;
            switch (words[0]) {
                case "network" -> networks.add(new Membership(words[1], words[2], new ArrayList<>(), new ArrayList<>(), new LinkedHashMap<>()));
                case "address" -> last(networks).addresses.add(address(words[1]));
                case "name" -> last(networks).names.add(words[1]);
                case "link" -> last(networks).links.put(words[1], words[2]);
                case "server" -> servers.add(new Server(address(words[1]), false));
                case "host-server" -> servers.add(new Server(address(words[1]), true));
                case "domains" -> domains = true;
                default -> {}
            }
        }
        return new ContainerNames(container, networks, servers, domains);
    }

    private static Membership last(List<Membership> networks) throws IOException {
        if (networks.isEmpty()) throw new IOException("names without a network");
        return networks.getLast();
    }

    private static InetAddress address(String text) throws IOException {
        try {
            return InetAddress.ofLiteral(text);
        } catch (IllegalArgumentException e) {
            throw new IOException("no address: " + text, e);
        }
    }
}
