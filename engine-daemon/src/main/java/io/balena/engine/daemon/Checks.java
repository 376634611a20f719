package io.balena.engine.daemon;

import io.balena.engine.daemon.container.spec.SpecDefaults;
import io.balena.engine.distribution.InsecureRegistries;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;

/// Which values dockerd takes for a flag, and its words for those it does not.
final class Checks {
    private Checks() {}

    static void host(String value) {
        Host.parse(value, false);
    }

    static void address(String value) {
        try {
            InetAddress.ofLiteral(value);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(value + " is not an ip address");
        }
    }

    static void label(String value) {
        if (value.indexOf('=') <= 0) throw new IllegalArgumentException("bad attribute format: " + value);
    }

    static void runtime(String value) {
        RuntimeSettings.parse(value);
    }

    static void execOption(String value) {
        if (value.indexOf('=') <= 0) throw new IllegalArgumentException("invalid exec option: " + value);
    }

    static void mirror(String value) {
        URI uri;
        try {
            uri = new URI(value);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("invalid mirror: \"" + value + "\" is not a valid URI");
        }
        if (!"http".equals(uri.getScheme()) && !"https".equals(uri.getScheme())) {
            String scheme = uri.getScheme() == null ? "" : uri.getScheme();
            throw new IllegalArgumentException("invalid mirror: unsupported scheme \"" + scheme + "\" in \"" + value + "\"");
        }
        String path = uri.getPath();
        if (path != null && !path.isEmpty() && !path.equals("/") || uri.getQuery() != null || uri.getFragment() != null) {
            throw new IllegalArgumentException("invalid mirror: path, query, or fragment at end of the URI \"" + value + "\"");
        }
        if (uri.getRawUserInfo() != null) {
            String shown = value.replaceFirst("//[^/]*@", "//" + uri.getRawUserInfo().split(":", 2)[0] + ":xxxxx@");
            throw new IllegalArgumentException("invalid mirror: username/password not allowed in URI \"" + shown + "\"");
        }
        if (uri.getHost() == null) throw new IllegalArgumentException("invalid mirror: \"" + value + "\" is not a valid URI");
    }

    static void insecureRegistry(String value) {
        InsecureRegistries.of(List.of(value));
    }

    static void ulimit(String value) {
        parseUlimit(value);
    }

    /// `nofile=1024:2048`
    static SpecDefaults.Ulimit parseUlimit(String value) {
        String[] parts = value.split("=", 2);
        if (parts.length != 2 || parts[0].isEmpty()) throw new IllegalArgumentException("invalid ulimit argument: " + value);
        String[] limits = parts[1].split(":", -1);
        if (limits.length > 2) throw new IllegalArgumentException("too many limit value arguments - " + parts[1] + ", can only have up to two, `soft[:hard]`");
        try {
            long soft = Long.parseLong(limits[0]);
            long hard = limits.length == 2 ? Long.parseLong(limits[1]) : soft;
            if (hard != -1 && (soft == -1 || soft > hard)) {
                throw new IllegalArgumentException("ulimit soft limit must be less than or equal to hard limit: " + soft + " > " + hard);
            }
            return new SpecDefaults.Ulimit(parts[0], soft, hard);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("strconv.ParseInt: parsing \"" + parts[1] + "\": invalid syntax");
        }
    }
}
