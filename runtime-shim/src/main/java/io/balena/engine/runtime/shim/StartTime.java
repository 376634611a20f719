package io.balena.engine.runtime.shim;

import io.balena.engine.linux.KernelFile;
import io.balena.engine.linux.ProcessId;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;

/// When a process that is not our child began, to a hundredth of a second.
///
/// @see <a href="https://man7.org/linux/man-pages/man5/proc_uptime.5.html">proc_uptime(5)</a>
final class StartTime {
    /// USER_HZ: the same on all architectures we run on.
    private static final int TICKS_PER_SECOND = 100;

    private StartTime() {}

    /// @return now, when it cannot be told
    static Instant of(int pid) {
        Instant now = Instant.now();
        try {
            long ticks = ProcessId.of(pid).orElseThrow().startTicks();
            String uptime = KernelFile.text(Path.of("/proc/uptime"));
            double seconds = Double.parseDouble(uptime.substring(0, uptime.indexOf(' ')));
            return now.minusMillis((long) (seconds * 1000) - ticks * 1000 / TICKS_PER_SECOND);
        } catch (IOException | RuntimeException e) {
            return now;
        }
    }
}
