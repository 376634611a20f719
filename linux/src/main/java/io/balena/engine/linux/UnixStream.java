package io.balena.engine.linux;

import static io.balena.engine.linux.SocketLibc.AF_UNIX;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_STREAM;

import java.nio.file.Path;

/// Stream sockets in the file system.
public final class UnixStream {
    private UnixStream() {}

    /// Connects, blocking.
    ///
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

    /// Lets the other end send nothing more (`EPIPE`). What it has sent can still be read, and then the end.
    ///
    /// @throws ErrnoException `ENOTCONN`
    public static void endInput(Fd socket) throws ErrnoException {
        Libc.check(SocketLibc.shutdown(socket.number(), SocketLibc.SHUT_RD), "shutdown", socket);
    }

    static Fd open(Path path) throws ErrnoException {
        return new Fd(Libc.check(SocketLibc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket", path));
    }
}
