package io.balena.engine.linux;

import static io.balena.engine.linux.Libc.check;
import static io.balena.engine.linux.SocketLibc.AF_UNIX;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_DGRAM;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// A name that only one process in a network namespace can hold. The kernel frees it when the process ends, however it ends.
///
/// It is an abstract unix socket, which lives in no file system and leaves nothing behind.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/unix.7.html">unix(7), abstract sockets</a>
public final class HeldName implements AutoCloseable {
    private final Fd socket;

    private HeldName(Fd socket) {
        this.socket = socket;
    }

    /// @return empty when the name is held already
    /// @throws ErrnoException `ENAMETOOLONG` beyond 107 bytes
    public static Optional<HeldName> take(String name) throws IOException {
        var socket = new Fd(check(SocketLibc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", name));
        try (var address = UnixAddress.ofAbstractName(name, "bind")) {
            check(SocketLibc.bind(socket.number(), address.pointer(), address.length()), "bind", "@" + name);
            return Optional.of(new HeldName(socket));
        } catch (ErrnoException e) {
            socket.close();
            if (e.errno() == Errno.EADDRINUSE) return Optional.empty();
            throw e;
        }
    }

    /// Names that begin with `prefix` and are held by any process in the calling thread's network namespace.
    public static List<String> all(String prefix) throws IOException {
        String mark = " @" + prefix;
        return KernelFile.lines(Path.of("/proc/thread-self/net/unix")).stream()
                .filter(line -> line.contains(mark)).map(line -> line.substring(line.indexOf(mark) + 2)).toList();
    }

    @Override
    public void close() {
        socket.close();
    }
}
