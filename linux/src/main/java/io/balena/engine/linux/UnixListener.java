package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;

/// A listening stream socket in the file system, for its owner alone.
public final class UnixListener implements AutoCloseable {
    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM = 1;
    private static final int SOCK_NONBLOCK = 04000;
    private static final int SOCK_CLOEXEC = 02000000;
    private static final int SOL_SOCKET = 1;
    private static final int SO_PEERCRED = 17;
    private static final int BACKLOG = 128;
    /// Bytes of `sun_path`, one of which ends the name.
    private static final int PATH_BYTES = 108;

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
        byte[] name = unready.toString().getBytes(StandardCharsets.UTF_8);
        if (name.length >= PATH_BYTES) throw new ErrnoException(Errno.ENAMETOOLONG.number(), "bind", path);
        unready.toFile().delete();
        Fd fd = new Fd(Libc.check(
                LoopCalls.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket", path));
        long address = Native.malloc(2 + PATH_BYTES);
        try {
            Pointer sockaddr = new Pointer(address);
            sockaddr.clear(2 + PATH_BYTES);
            sockaddr.setShort(0, (short) AF_UNIX);
            sockaddr.write(2, name, 0, name.length);
            // Linux gives the new name the mode of the socket itself: no moment in which the umask decides.
            Libc.check(LoopCalls.fchmod(fd.number(), 0600), "fchmod", path);
            Libc.check(LoopCalls.bind(fd.number(), sockaddr, 2 + name.length + 1), "bind", path);
            Libc.check(LoopCalls.listen(fd.number(), BACKLOG), "listen", path);
            if (!unready.toFile().renameTo(path.toFile())) throw new IOException("rename " + unready + " to " + path);
            return new UnixListener(fd);
        } catch (IOException e) {
            fd.close();
            throw e;
        } finally {
            Native.free(address);
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
        int accepted = LoopCalls.accept4(fd.number(), null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
        long address = Native.malloc(12);
        try {
            Pointer credentials = new Pointer(address);
            int[] length = {12};
            int result = LoopCalls.getsockopt(connection.number(), SOL_SOCKET, SO_PEERCRED, credentials, length);
            Libc.check(result, "getsockopt(SO_PEERCRED)", connection);
            int uid = credentials.getInt(4);
            return uid == 0 || uid == LoopCalls.geteuid();
        } finally {
            Native.free(address);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
