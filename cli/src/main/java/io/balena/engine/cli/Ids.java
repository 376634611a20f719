package io.balena.engine.cli;

/// Identifiers as tables show them.
final class Ids {
    private static final int SHORT = 12;

    private Ids() {}

    static String shortened(String id) {
        var hex = id.startsWith("sha256:") ? id.substring("sha256:".length()) : id;
        return hex.length() > SHORT ? hex.substring(0, SHORT) : hex;
    }
}
