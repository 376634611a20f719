package io.balena.engine.linux;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.jna.Memory;
import com.sun.jna.NativeLong;
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
        byte[] path = socket.get().getBytes(UTF_8);
        if (path.length >= ServiceSockets.SUN_PATH) throw new ErrnoException(Errno.ENAMETOOLONG.number(), "sendto", socket.get());
        byte[] bytes = assignments.getBytes(UTF_8);
        int type = ServiceSockets.SOCK_DGRAM | ServiceSockets.SOCK_CLOEXEC;
        try (var fd = new Fd(Libc.check(ServiceSockets.socket(ServiceSockets.AF_UNIX, type, 0), "socket", "for " + socket.get()));
                var message = new Memory(bytes.length);
                var address = ServiceSockets.address(path)) {
            message.write(0, bytes, 0, bytes.length);
            // Abstract names are as long as the address says; paths may carry their zero byte or not.
            NativeLong sent = ServiceSockets.sendto(
                    fd.number(), message, new NativeLong(bytes.length), ServiceSockets.MSG_NOSIGNAL, address, 2 + path.length);
            Libc.check(sent.longValue(), "sendto", socket.get());
        }
    }
}
