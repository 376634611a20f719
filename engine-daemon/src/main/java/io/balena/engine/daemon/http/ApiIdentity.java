package io.balena.engine.daemon.http;

/// What every answer says about the engine in its headers.
///
/// @param version of the engine, e.g. `0.1.0`
public record ApiIdentity(String version, boolean experimental) {
    String server() {
        return "Docker/" + version + " (linux)";
    }
}
