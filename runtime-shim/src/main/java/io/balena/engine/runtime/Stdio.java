package io.balena.engine.runtime;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/// What the shim does with a process's standard streams.
///
/// @param stdin keep stdin open for attached clients; otherwise the process reads `/dev/null`
/// @param stdinOnce close stdin when the first client that was attached to it leaves
/// @param log where output is recorded besides being sent to attached clients; empty for execs and log driver `none`
public record Stdio(boolean stdin, boolean stdinOnce, Optional<Log> log) {
    /// A json-file log, rotated by the shim as Docker does.
    ///
    /// @param maxBytes size at which a file is rotated; 0 for no limit
    /// @param maxFiles files kept, the current one included; at least 1
    /// @param attributes `attrs` of each line (labels, env), usually empty
    public record Log(Path file, long maxBytes, int maxFiles, Map<String, String> attributes) {}
}
