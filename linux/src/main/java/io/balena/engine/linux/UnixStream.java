package io.balena.engine.linux;

import static io.balena.engine.linux.SocketLibc.AF_UNIX;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_STREAM;

import java.nio.file.Path;

/// Stream sockets in the file system, blocking.
public final class UnixStream {
    private UnixStream() {}

    /// @throws ErrnoException `ENOENT`, `ECONNREFUSED` when nobody listens there, `ENAMETOOLONG` beyond 107 bytes
    public static Fd connect(Path path) throws ErrnoException {
        Fd socket = open(path);
        try (var address = UnixAddress.ofPath(path.toString(), "connect")) {
            Libc.check(SocketLibc.connect(socket.number(), address.pointer(), address.length()), "connect", path);
            return socket;
        } catch (ErrnoException e) {
            socket.close();
            throw e;
        }
    }

    static Fd open(Path path) throws ErrnoException {
        return new Fd(Libc.check(SocketLibc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket", path));
    }
}
