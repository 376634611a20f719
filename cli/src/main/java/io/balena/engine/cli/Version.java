package io.balena.engine.cli;

/// What this command line calls itself.
final class Version {
    static final String NUMBER = "0.1.0";
    static final String API = "1.41";

    private Version() {}
}
