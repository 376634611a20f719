package io.balena.engine.linux;

import static io.balena.engine.linux.Libc.check;
import static io.balena.engine.linux.SocketLibc.AF_INET;
import static io.balena.engine.linux.SocketLibc.AF_INET6;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_DGRAM;
import static io.balena.engine.linux.SocketLibc.SOCK_STREAM;
import static io.balena.engine.linux.SocketLibc.SOL_SOCKET;
import static io.balena.engine.linux.SocketLibc.SO_REUSEADDR;

import com.sun.jna.Pointer;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;

/// A port of this machine kept from other processes for as long as this is open. Nothing is ever read from it.
public final class BoundPort implements AutoCloseable {
    /// Numbers as in `/etc/protocols`.
    public enum Protocol {
        TCP(SOCK_STREAM, 6), UDP(SOCK_DGRAM, 17), SCTP(SOCK_STREAM, 132);

        private final int socketType;
        private final int number;

        Protocol(int socketType, int number) {
            this.socketType = socketType;
            this.number = number;
        }
    }

    private static final int SOCKADDR_IN_BYTES = 16;
    private static final int SOCKADDR_IN6_BYTES = 28;
    private static final int IPPROTO_IPV6 = 41;
    private static final int IPV6_V6ONLY = 26;

    private final Fd socket;

    private BoundPort(Fd socket) {
        this.socket = socket;
    }

    /// Binds. `SO_REUSEADDR` is set so that old connections in `TIME_WAIT` do not block the port.
    ///
    /// @param listen whether to listen too, where the protocol has connections: only a listening socket shows up in `ss -l` and
    ///     excludes others that set `SO_REUSEADDR`. But who connects to it waits in vain, instead of being refused
    /// @throws ErrnoException `EADDRINUSE` when another has it, `EADDRNOTAVAIL` when the address is not this machine's,
    ///     `EPROTONOSUPPORT` when the kernel lacks the protocol
    public static BoundPort open(Protocol protocol, InetAddress address, int port, boolean listen) throws IOException {
        String on = protocol.name().toLowerCase(java.util.Locale.ROOT) + " " + address.getHostAddress() + ":" + port;
        boolean v4 = address instanceof Inet4Address;
        var socket = new Fd(check(SocketLibc.socket(v4 ? AF_INET : AF_INET6, protocol.socketType | SOCK_CLOEXEC, protocol.number), "socket", on));
        try (var structure = NativeMemory.zeroed(SOCKADDR_IN6_BYTES)) {
            Pointer memory = structure.pointer();
            memory.setInt(0, 1);
            if (protocol.socketType == SOCK_STREAM) {
                check(SocketLibc.setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, memory, 4), "setsockopt", on);
            }
            // Else the port would be taken from IPv4 as well.
            if (!v4) check(SocketLibc.setsockopt(socket.number(), IPPROTO_IPV6, IPV6_V6ONLY, memory, 4), "setsockopt", on);
            int length = writeAddress(memory, address, port);
            check(SocketLibc.bind(socket.number(), memory, length), "bind", on);
            if (listen && protocol.socketType == SOCK_STREAM) check(SocketLibc.listen(socket.number(), 1), "listen", on);
            return new BoundPort(socket);
        } catch (Throwable e) {
            socket.close();
            throw e;
        }
    }

    /// `struct sockaddr_in` or `sockaddr_in6`: family in the machine's byte order, port and address in the network's.
    private static int writeAddress(Pointer memory, InetAddress address, int port) {
        boolean v4 = address instanceof Inet4Address;
        memory.clear(SOCKADDR_IN6_BYTES);
        memory.setShort(0, (short) (v4 ? AF_INET : AF_INET6));
        memory.setByte(2, (byte) (port >> 8));
        memory.setByte(3, (byte) port);
        byte[] bytes = address.getAddress();
        memory.write(v4 ? 4 : 8, bytes, 0, bytes.length);
        return v4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
    }

    @Override
    public void close() {
        socket.close();
    }
}
