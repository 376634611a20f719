package io.balena.engine.linux;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.jna.Memory;
import com.sun.jna.ptr.IntByReference;
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

    private InheritedSockets() {}

    /// @param name as the socket unit calls it (`FileDescriptorName=`)
    /// @param path of a unix socket; empty for TCP
    public record Inherited(int fd, Optional<String> name, Optional<Path> path) {}

    /// The sockets meant for this process, made close-on-exec and non-blocking (systemd's are not unless told so). Empty when it was not started so.
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
            Libc.check(ServiceSockets.fcntl(fd, ServiceSockets.F_SETFD, ServiceSockets.FD_CLOEXEC), "fcntl", what);
            int flags = Libc.check(ServiceSockets.fcntl(fd, ServiceSockets.F_GETFL, 0), "fcntl", what);
            Libc.check(ServiceSockets.fcntl(fd, ServiceSockets.F_SETFL, flags | ServiceSockets.O_NONBLOCK), "fcntl", what);
            Optional<String> name = i < names.length && !names[i].isEmpty() ? Optional.of(names[i]) : Optional.empty();
            sockets.add(new Inherited(fd, name, path(fd)));
        }
        return sockets;
    }

    private static Optional<Path> path(int fd) throws IOException {
        try (var address = new Memory(2L + ServiceSockets.SUN_PATH)) {
            address.clear();
            var length = new IntByReference((int) address.size());
            Libc.check(ServiceSockets.getsockname(fd, address, length), "getsockname", "inherited fd " + fd);
            if (address.getShort(0) != ServiceSockets.AF_UNIX) return Optional.empty();
            byte[] path = address.getByteArray(2, Math.max(0, Math.min(length.getValue() - 2, ServiceSockets.SUN_PATH)));
            int end = 0;
            while (end < path.length && path[end] != 0) end++;
            return Optional.of(Path.of(new String(path, 0, end, UTF_8)));
        }
    }
}
