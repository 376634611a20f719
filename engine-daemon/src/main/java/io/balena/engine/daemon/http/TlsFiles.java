package io.balena.engine.daemon.http;

import java.nio.file.Path;

/// With what a listener speaks TLS; all files are PEM.
///
/// @param certificate the engine's own, followed by those that vouch for it
/// @param verify only clients are served that have a certificate signed by `authority`
public record TlsFiles(Path certificate, Path key, Path authority, boolean verify) {}
