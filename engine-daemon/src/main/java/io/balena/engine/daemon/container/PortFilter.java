package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Ports as filters name them: `80`, `53/udp`, `8000-8080/tcp`.
record PortFilter(int first, int last, String protocol) {
    private static final Pattern WRITTEN = Pattern.compile("(\\d{1,5})(?:-(\\d{1,5}))?(?:/(\\w+))?");

    /// @throws InvalidRequest in Docker's words
    static PortFilter parse(String filter, String value) {
        if (value.contains(":")) throw new InvalidRequest("filter for '" + filter + "' should not contain ':': " + value);
        Matcher parts = WRITTEN.matcher(value);
        if (!parts.matches()) {
            throw new InvalidRequest("error while looking up for " + filter + " " + value + ": strconv.ParseUint: parsing \"" + value
                    + "\": invalid syntax");
        }
        int first = Integer.parseInt(parts.group(1));
        int last = parts.group(2) == null ? first : Integer.parseInt(parts.group(2));
        return new PortFilter(first, last, parts.group(3) == null ? "tcp" : parts.group(3));
    }

    boolean matches(int port, String itsProtocol) {
        return first <= port && port <= last && protocol.equals(itsProtocol);
    }
}
