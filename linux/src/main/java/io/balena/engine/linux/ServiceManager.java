package io.balena.engine.linux;

import static io.balena.engine.linux.SocketLibc.AF_UNIX;
import static io.balena.engine.linux.SocketLibc.MSG_NOSIGNAL;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_DGRAM;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.util.Optional;

/// The service manager (systemd) that started this process, told how it is doing.
///
/// @see <a href="https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html">sd_notify(3)</a>
public final class ServiceManager {
    private final Optional<String> socket;

    /// @param socket path of the manager's datagram socket, `@` before an abstract name; empty when nobody wants to know
    public ServiceManager(Optional<String> socket) {
        this.socket = socket.filter(path -> path.startsWith("/") || path.startsWith("@"));
    }

    /// The one named by `NOTIFY_SOCKET`.
    public static ServiceManager fromEnvironment() {
        return new ServiceManager(Optional.ofNullable(System.getenv("NOTIFY_SOCKET")));
    }

    /// Sends assignments such as `READY=1`, one a line. Does nothing when nobody listens.
    public void tell(String assignments) throws IOException {
        if (socket.isEmpty()) return;
        byte[] bytes = assignments.getBytes(UTF_8);
        try (var address = address(socket.get());
                var fd = new Fd(Libc.check(SocketLibc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", "for " + socket.get()));
                var message = new NativeMemory(bytes.length)) {
            message.pointer().write(0, bytes, 0, bytes.length);
            int sent = SocketLibc.sendto(fd.number(), message.pointer(), bytes.length, MSG_NOSIGNAL, address.pointer(), address.length());
            Libc.check(sent, "sendto", socket.get());
        }
    }

    private static UnixAddress address(String socket) throws ErrnoException {
        if (socket.startsWith("@")) return UnixAddress.ofAbstractName(socket.substring(1), "sendto");
        return UnixAddress.ofPath(socket, "sendto");
    }
}
