package io.balena.engine.linux;

import static io.balena.engine.linux.SocketLibc.AF_UNIX;

import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;

/// A `struct sockaddr_un`: a 16-bit family, then a path, or an abstract name after a zero byte.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/unix.7.html">unix(7)</a>
final class UnixAddress implements AutoCloseable {
    /// The most bytes of a path, after which a zero byte follows, and of an abstract name, before which one stands.
    static final int LONGEST = 107;

    private static final int FAMILY_BYTES = 2;
    private static final int BYTES = FAMILY_BYTES + LONGEST + 1;

    private final NativeMemory memory = NativeMemory.zeroed(BYTES);
    private int length;

    private UnixAddress() {
        memory.pointer().setShort(0, (short) AF_UNIX);
    }

    /// @param call what it is for, named by the exception
    /// @throws ErrnoException `ENAMETOOLONG` beyond 107 bytes
    static UnixAddress ofPath(String path, String call) throws ErrnoException {
        return of(path, call, path, 0);
    }

    /// @param call what it is for, named by the exception
    /// @throws ErrnoException `ENAMETOOLONG` beyond 107 bytes
    static UnixAddress ofAbstractName(String name, String call) throws ErrnoException {
        return of("@" + name, call, name, 1);
    }

    // Abstract names are as long as the length says; paths may carry their zero byte or not.
    private static UnixAddress of(String shown, String call, String name, int at) throws ErrnoException {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > LONGEST) throw new ErrnoException(Errno.ENAMETOOLONG.number(), call, shown);
        var made = new UnixAddress();
        made.memory.pointer().write(FAMILY_BYTES + at, bytes, 0, bytes.length);
        made.length = FAMILY_BYTES + at + bytes.length;
        return made;
    }

    /// The path that `socket` is bound to.
    ///
    /// @return empty when it is no unix socket
    static Optional<Path> pathOf(int socket) throws ErrnoException {
        try (var address = new UnixAddress()) {
            int[] length = {BYTES};
            Libc.check(SocketLibc.getsockname(socket, address.pointer(), length), "getsockname", "fd " + socket);
            if (address.pointer().getShort(0) != AF_UNIX) return Optional.empty();
            byte[] path = address.pointer().getByteArray(FAMILY_BYTES, Math.clamp(length[0] - FAMILY_BYTES, 0, LONGEST + 1));
            int end = 0;
            while (end < path.length && path[end] != 0) end++;
            return Optional.of(Path.of(new String(path, 0, end, StandardCharsets.UTF_8)));
        }
    }

    Pointer pointer() {
        return memory.pointer();
    }

    /// Bytes of it that count.
    int length() {
        return length;
    }

    @Override
    public void close() {
        memory.close();
    }
}
