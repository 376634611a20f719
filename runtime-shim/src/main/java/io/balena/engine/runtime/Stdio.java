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
    /// In which form. Names on the wire are for ever.
    public enum Driver { JSON_FILE, LOCAL, JOURNALD }

    /// A log, rotated by the shim as Docker does.
    ///
    /// @param file the one that is written to; of no meaning to a journal
    /// @param maxBytes size at which a file is rotated; 0 for no limit
    /// @param maxFiles files kept, the current one included; at least 1
    /// @param compress rotated files are compressed
    /// @param bufferBytes what may be kept back while the log takes nothing, before lines are dropped; 0 when the container shall wait
    /// @param attributes `attrs` of each line (labels, env), usually empty; of a journal's entry all fields that never change
    public record Log(Driver driver, Path file, long maxBytes, int maxFiles, boolean compress, int bufferBytes, Map<String, String> attributes) {
        /// A json-file log that is never rotated.
        public static Log jsonFile(Path file) {
            return new Log(Driver.JSON_FILE, file, 0, 1, false, 0, Map.of());
        }
    }
}
