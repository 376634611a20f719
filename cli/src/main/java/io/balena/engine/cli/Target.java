package io.balena.engine.cli;

import java.net.URLEncoder;

import static java.nio.charset.StandardCharsets.UTF_8;

/// A path of the API with its query, encoded as it is built.
final class Target {
    private final StringBuilder text = new StringBuilder();
    private char separator = '?';

    /// @param segments joined by `/`; what a user types cannot add a query
    static Target of(String... segments) {
        var target = new Target();
        for (var segment : segments) target.text.append('/').append(encoded(segment));
        return target;
    }

    Target with(String name, Object value) {
        text.append(separator).append(name).append('=').append(encoded(String.valueOf(value)));
        separator = '&';
        return this;
    }

    /// A switch of the API: absent is false.
    Target flag(String name, boolean on) {
        return on ? with(name, 1) : this;
    }

    private static String encoded(String segment) {
        // Image names hold slashes, colons and at signs, which the API takes as they are.
        return URLEncoder.encode(segment, UTF_8).replace("+", "%20").replace("%2F", "/").replace("%3A", ":").replace("%40", "@");
    }

    @Override public String toString() {
        return text.toString();
    }
}
