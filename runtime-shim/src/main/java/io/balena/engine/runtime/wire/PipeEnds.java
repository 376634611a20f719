package io.balena.engine.runtime.wire;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.OpenFlags;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Further ends of pipes that another process has open.
///
/// @see <a href="https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html">proc_pid_fd(5)</a>
public final class PipeEnds {
    private static final String ANY_PIPE = "pipe:[";

    private PipeEnds() {}

    /// An end to read from, non-blocking.
    ///
    /// @param name of the pipe it must be, e.g. `pipe:[4711]`
    /// @return empty when the process has something else there, or is gone
    public static Optional<Fd> readEnd(int pid, int number, String name) {
        return open(pid, number, name, false);
    }

    public static Optional<Fd> readEnd(int pid, int number) {
        return open(pid, number, ANY_PIPE, false);
    }

    /// An end to write to, non-blocking.
    public static Optional<Fd> writeEnd(int pid, int number, String name) {
        return open(pid, number, name, true);
    }

    private static Optional<Fd> open(int pid, int number, String name, boolean forWriting) {
        Path link = Path.of("/proc/" + pid + "/fd/" + number);
        try {
            if (!Files.readSymbolicLink(link).toString().startsWith(name)) return Optional.empty();
            Fd fd = Fd.open(link, (forWriting ? OpenFlags.WRONLY : OpenFlags.RDONLY) | OpenFlags.NONBLOCK);
            // It may have become another file in between.
            String opened = Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd.number())).toString();
            if (opened.startsWith(name)) return Optional.of(fd);
            fd.close();
            return Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
