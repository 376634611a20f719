package io.balena.engine.linux;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Listening sockets that systemd opened for this process.
///
/// @see <a href="https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html">sd_listen_fds(3)</a>
public final class InheritedSockets {
    private static final int FIRST_FD = 3;
    private static final int F_SETFD = 2;
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final int FD_CLOEXEC = 1;

    private InheritedSockets() {}

    /// @param name as the socket unit calls it (`FileDescriptorName=`)
    /// @param path of a unix socket; empty for TCP
    public record Inherited(int fd, Optional<String> name, Optional<Path> path) {}

    /// The sockets meant for this process, made close-on-exec and non-blocking (systemd's are not unless told so). Empty when it was
    /// not started so.
    public static List<Inherited> take() throws IOException {
        if (!Long.toString(ProcessHandle.current().pid()).equals(System.getenv("LISTEN_PID"))) return List.of();
        int count;
        try {
            count = Integer.parseInt(System.getenv().getOrDefault("LISTEN_FDS", "0"));
        } catch (NumberFormatException e) {
            return List.of();
        }
        String[] names = System.getenv().getOrDefault("LISTEN_FDNAMES", "").split(":", -1);
        List<Inherited> sockets = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int fd = FIRST_FD + i;
            String what = "inherited fd " + fd;
            Libc.check(Libc.fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl", what);
            int flags = Libc.check(Libc.fcntl(fd, F_GETFL, 0), "fcntl", what);
            Libc.check(Libc.fcntl(fd, F_SETFL, flags | OpenFlags.NONBLOCK), "fcntl", what);
            Optional<String> name = i < names.length && !names[i].isEmpty() ? Optional.of(names[i]) : Optional.empty();
            sockets.add(new Inherited(fd, name, UnixAddress.pathOf(fd)));
        }
        return sockets;
    }
}
