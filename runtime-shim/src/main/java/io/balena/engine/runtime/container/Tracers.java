package io.balena.engine.runtime.container;

import io.balena.engine.linux.KernelFile;
import io.balena.engine.runtime.process.CapabilitySet;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// Whether a container may have processes with `CAP_SYS_PTRACE`: to them what is being executed into it is no secret, and its memory no
/// one else's, as soon as they see it.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/ptrace.2.html">ptrace(2), access mode checking</a>
final class Tracers {
    private static final long CAP_SYS_PTRACE = CapabilitySet.of(List.of("CAP_SYS_PTRACE"));

    private boolean executed;

    /// Nobody knows any more what was executed into it.
    void expectAny() {
        executed = true;
    }

    /// Something is to be executed into it.
    synchronized void add(RuntimeSpec.Process process) {
        var capabilities = process.capabilities();
        if (capabilities == null) return;
        executed |= ((CapabilitySet.of(capabilities.bounding()) | CapabilitySet.of(capabilities.permitted())) & CAP_SYS_PTRACE) != 0;
    }

    /// @param first its first process, whose bounding set goes for all it has started
    synchronized boolean mayBeIn(int first) throws IOException {
        if (executed) return true;
        for (String line : KernelFile.lines(Path.of("/proc/" + first + "/status"))) {
            if (line.startsWith("CapBnd:")) return (Long.parseUnsignedLong(line.substring(8).trim(), 16) & CAP_SYS_PTRACE) != 0;
        }
        return true;
    }
}
