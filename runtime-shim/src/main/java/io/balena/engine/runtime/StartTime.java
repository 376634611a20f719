package io.balena.engine.runtime;

import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;

/// When a process that is not our child began, to a hundredth of a second.
///
/// @see <a href="https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html">proc_pid_stat(5)</a>
final class StartTime {
    /// USER_HZ: the same on all architectures we run on.
    private static final int TICKS_PER_SECOND = 100;
    private static final int FIELD_AFTER_NAME = 19;

    private StartTime() {}

    /// @return now, when it cannot be told
    static Instant of(int pid) {
        Instant now = Instant.now();
        try {
            String stat = KernelFile.text(Path.of("/proc/" + pid + "/stat"));
            int at = stat.lastIndexOf(')') + 1; // the name before may contain anything
            for (int field = 0; field < FIELD_AFTER_NAME; field++) at = stat.indexOf(' ', at + 1);
            long ticks = Long.parseLong(stat.substring(at + 1, stat.indexOf(' ', at + 1)));
            String uptime = KernelFile.text(Path.of("/proc/uptime"));
            double seconds = Double.parseDouble(uptime.substring(0, uptime.indexOf(' ')));
            return now.minusMillis((long) (seconds * 1000) - ticks * 1000 / TICKS_PER_SECOND);
        } catch (IOException | RuntimeException e) {
            return now;
        }
    }
}
