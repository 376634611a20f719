package io.balena.engine.distribution;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Registries that may speak plain HTTP and show any certificate.
///
/// @param names `host` or `host:port`, which must match whole
/// @param networks in which they are
public record InsecureRegistries(List<String> names, List<Network> networks) {
    private static final Logger LOG = System.getLogger(InsecureRegistries.class.getName());
    private static final Pattern SCHEME = Pattern.compile("(?i)(https?://)(.*)");
    private static final Pattern HOST_AND_PORT = Pattern.compile("([A-Za-z0-9][A-Za-z0-9_.-]*|\\[[0-9A-Fa-f:]+])(?::(\\d*))?");

    public InsecureRegistries {
        names = List.copyOf(names);
        networks = List.copyOf(networks);
    }

    /// Those of this machine itself, which always may.
    public static InsecureRegistries onLoopback() {
        return of(List.of());
    }

    /// @param given as users write them: names and networks; this machine's own are added
    /// @throws IllegalArgumentException with dockerd's words
    public static InsecureRegistries of(List<String> given) {
        List<String> names = new ArrayList<>();
        List<Network> networks = new ArrayList<>();
        for (String each : given) {
            String registry = withoutScheme(each);
            Optional<Network> network = Network.parse(registry);
            if (network.isPresent()) networks.add(network.get());
            else names.add(checked(registry));
        }
        Network.parse("127.0.0.0/8").ifPresent(networks::add);
        Network.parse("::1/128").ifPresent(networks::add);
        return new InsecureRegistries(names.stream().distinct().toList(), networks.stream().distinct().toList());
    }

    /// A name is looked up when it is not listed, as dockerd does. But here all its addresses must be in those networks: dockerd is content
    /// with one, so whoever can add an address to an answer of the name service could make any registry insecure.
    ///
    /// @param registry its host, with its port if that is not the usual one
    boolean contains(String registry) {
        if (names.contains(registry)) return true;
        String host = registry.replaceFirst(":\\d+$", "").replaceAll("[\\[\\]]", "");
        if (networks.isEmpty()) return false;
        try {
            return Arrays.stream(InetAddress.getAllByName(host)).allMatch(this::contains);
        } catch (UnknownHostException e) {
            return false; // dockerd's answer too: behind a proxy one need not be able to look up anything
        }
    }

    private boolean contains(InetAddress address) {
        return networks.stream().anyMatch(network -> network.contains(address));
    }

    private static String withoutScheme(String registry) {
        Matcher scheme = SCHEME.matcher(registry);
        if (!scheme.matches()) return registry;
        String prefix = scheme.group(1).toLowerCase(Locale.ROOT);
        LOG.log(Level.WARNING, "insecure registry {0} should not contain ''{1}'' and ''{1}'' has been removed from the insecure registry config",
                registry, prefix);
        return scheme.group(2);
    }

    private static String checked(String registry) {
        if (registry.contains("://")) throw new IllegalArgumentException("insecure registry " + registry + " should not contain '://'");
        if (registry.startsWith("-") || registry.endsWith("-")) {
            throw new IllegalArgumentException("invalid index name (" + registry + "). Cannot begin or end with a hyphen");
        }
        Matcher parts = HOST_AND_PORT.matcher(registry);
        if (!parts.matches()) {
            throw new IllegalArgumentException("insecure registry " + registry + " is not valid: invalid host \"" + registry + "\"");
        }
        String port = parts.group(2);
        if (port != null && !port.isEmpty() && (port.length() > 5 || Integer.parseInt(port) > 65_535)) {
            throw new IllegalArgumentException("insecure registry " + registry + " is not valid: invalid port \"" + port + "\"");
        }
        return registry;
    }
}
