package io.balena.engine.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/// A pid with the time its process started, so that a number that was given to another process is not taken for ours.
///
/// @param startTicks clock ticks since boot
/// @see <a href="https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html">proc_pid_stat(5), field 22</a>
public record ProcessId(int pid, long startTicks) {
    /// The process that has this pid now.
    ///
    /// @return empty when there is none
    public static Optional<ProcessId> of(int pid) throws IOException {
        byte[] stat;
        try {
            stat = KernelFile.bytes(Path.of("/proc/" + pid + "/stat"));
        } catch (NoSuchFileException _) {
            return Optional.empty();
        } catch (IOException e) {
            // Read after the process was reaped: ESRCH, for which the JDK has no type of its own.
            if (!Files.exists(Path.of("/proc/" + pid))) return Optional.empty();
            throw e;
        }
        return Optional.of(new ProcessId(pid, startTicks(stat)));
    }

    /// Opens the process if it still is the one we mean.
    ///
    /// @return empty when it has ended
    public Optional<PidFd> open() throws IOException {
        PidFd process;
        try {
            process = PidFd.open(pid);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ESRCH) return Optional.empty();
            throw e;
        }
        // Asked after opening: from then on the descriptor keeps its meaning.
        Optional<ProcessId> now = of(pid);
        if (now.isPresent() && now.get().equals(this)) return Optional.of(process);
        process.close();
        return Optional.empty();
    }

    /// Field 2 is the name in parentheses, and may itself contain spaces and parentheses.
    static long startTicks(byte[] stat) {
        int at = stat.length - 1;
        while (stat[at] != ')') at--;
        for (int field = 2; field < 22; field++) {
            at++;
            while (stat[at] != ' ') at++;
        }
        int end = at + 1;
        while (end < stat.length && stat[end] >= '0' && stat[end] <= '9') end++;
        return Long.parseLong(new String(stat, at + 1, end - at - 1, StandardCharsets.US_ASCII));
    }
}
