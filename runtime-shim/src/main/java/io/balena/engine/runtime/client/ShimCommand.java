package io.balena.engine.runtime.client;

import java.util.List;

/// How to start the shim process: program and arguments, to which its own options are appended.
public record ShimCommand(List<String> argv) {}
