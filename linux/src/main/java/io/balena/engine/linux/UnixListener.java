package io.balena.engine.linux;

import static io.balena.engine.linux.SocketLibc.AF_UNIX;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_NONBLOCK;
import static io.balena.engine.linux.SocketLibc.SOCK_STREAM;
import static io.balena.engine.linux.SocketLibc.SOL_SOCKET;
import static io.balena.engine.linux.SocketLibc.SO_PEERCRED;

import com.sun.jna.Native;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/// A listening stream socket in the file system, for its owner alone.
public final class UnixListener implements AutoCloseable {
    private static final int BACKLOG = 128;

    private final Fd fd;

    private UnixListener(Fd fd) {
        this.fd = fd;
    }

    /// Listens at `path`, mode 0600 from the first moment on. Nobody can connect to a name that does not listen yet: the socket
    /// gets its name by rename(2), which also replaces what a dead process left there.
    ///
    /// @throws ErrnoException `ENAMETOOLONG` beyond 103 bytes
    public static UnixListener bind(Path path) throws IOException {
        Path unready = path.resolveSibling(path.getFileName() + ".new");
        try (var address = UnixAddress.ofPath(unready.toString(), "bind")) {
            unready.toFile().delete();
            return bind(path, unready, address);
        }
    }

    private static UnixListener bind(Path path, Path unready, UnixAddress address) throws IOException {
        int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
        Fd fd = new Fd(Libc.check(SocketLibc.socket(AF_UNIX, type, 0), "socket", path));
        try {
            // Linux gives the new name the mode of the socket itself: no moment in which the umask decides.
            Libc.check(Libc.fchmod(fd.number(), 0600), "fchmod", path);
            Libc.check(SocketLibc.bind(fd.number(), address.pointer(), address.length()), "bind", path);
            Libc.check(SocketLibc.listen(fd.number(), BACKLOG), "listen", path);
            if (!unready.toFile().renameTo(path.toFile())) throw new IOException("rename " + unready + " to " + path);
            return new UnixListener(fd);
        } catch (IOException e) {
            fd.close();
            throw e;
        }
    }

    /// Readable while somebody waits to be accepted.
    public Fd fd() {
        return fd;
    }

    /// The next connection, non-blocking; empty when nobody waits, or who waited is gone.
    ///
    /// @throws ErrnoException `EMFILE`, `ENFILE`, `ENOMEM`: it goes on waiting
    public Optional<Fd> accept() throws ErrnoException {
        int accepted = SocketLibc.accept4(fd.number(), null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0) return Optional.of(new Fd(accepted));
        ErrnoException failure = new ErrnoException(Native.getLastError(), "accept4", fd);
        return switch (failure.errno()) {
            case EMFILE, ENFILE, ENOMEM -> throw failure;
            default -> Optional.empty();
        };
    }

    /// Whether the process at the other end of `connection` runs as root or as this process's user.
    public static boolean peerIsTrusted(Fd connection) throws ErrnoException {
        // struct ucred { pid_t pid; uid_t uid; gid_t gid; }
        try (var credentials = NativeMemory.zeroed(12)) {
            int[] length = {12};
            int result = SocketLibc.getsockopt(connection.number(), SOL_SOCKET, SO_PEERCRED, credentials.pointer(), length);
            Libc.check(result, "getsockopt(SO_PEERCRED)", connection);
            int uid = credentials.pointer().getInt(4);
            return uid == 0 || uid == ProcessLibc.geteuid();
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
