package io.balena.engine.linux;

import static io.balena.engine.linux.Libc.check;
import static io.balena.engine.linux.NetworkLibc.AF_UNIX;
import static io.balena.engine.linux.NetworkLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.NetworkLibc.SOCK_DGRAM;

import com.sun.jna.Memory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// A name that only one process in a network namespace can hold. The kernel frees it when the process ends, however it ends.
///
/// It is an abstract unix socket, which lives in no file system and leaves nothing behind.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/unix.7.html">unix(7), abstract sockets</a>
public final class HeldName implements AutoCloseable {
    /// `sizeof(sun_path)`, less the zero that makes the name abstract.
    private static final int LONGEST = 107;

    private final Fd socket;

    private HeldName(Fd socket) {
        this.socket = socket;
    }

    /// @return empty when the name is held already
    public static Optional<HeldName> take(String name) throws IOException {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > LONGEST) throw new IllegalArgumentException("name too long: " + name);
        var socket = new Fd(check(NetworkLibc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket", name));
        try (var address = new Memory(3 + LONGEST)) {
            address.clear();
            address.setShort(0, (short) AF_UNIX);
            address.write(3, bytes, 0, bytes.length);
            check(NetworkLibc.bind(socket.number(), address, 3 + bytes.length), "bind", "@" + name);
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
        try (Stream<String> sockets = Files.lines(Path.of("/proc/thread-self/net/unix"), StandardCharsets.ISO_8859_1)) {
            return sockets.filter(line -> line.contains(mark)).map(line -> line.substring(line.indexOf(mark) + 2)).toList();
        }
    }

    @Override
    public void close() {
        socket.close();
    }
}
