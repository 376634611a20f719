package io.balena.engine.linux;

import static io.balena.engine.linux.Libc.check;
import static io.balena.engine.linux.SocketLibc.AF_INET;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_DGRAM;
import static io.balena.engine.linux.SocketLibc.SOCK_STREAM;
import static io.balena.engine.linux.SocketLibc.SOL_SOCKET;
import static io.balena.engine.linux.SocketLibc.SO_REUSEADDR;

import com.sun.jna.Pointer;
import java.io.IOException;
import java.net.Inet4Address;

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
    public static BoundPort open(Protocol protocol, Inet4Address address, int port, boolean listen) throws IOException {
        String on = protocol.name().toLowerCase(java.util.Locale.ROOT) + " " + address.getHostAddress() + ":" + port;
        var socket = new Fd(check(SocketLibc.socket(AF_INET, protocol.socketType | SOCK_CLOEXEC, protocol.number), "socket", on));
        try (var structure = NativeMemory.zeroed(SOCKADDR_IN_BYTES)) {
            Pointer memory = structure.pointer();
            if (protocol.socketType == SOCK_STREAM) {
                memory.setInt(0, 1);
                check(SocketLibc.setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, memory, 4), "setsockopt", on);
            }
            // struct sockaddr_in: family in the machine's byte order, port and address in the network's.
            memory.clear(SOCKADDR_IN_BYTES);
            memory.setShort(0, (short) AF_INET);
            memory.setByte(2, (byte) (port >> 8));
            memory.setByte(3, (byte) port);
            memory.write(4, address.getAddress(), 0, 4);
            check(SocketLibc.bind(socket.number(), memory, SOCKADDR_IN_BYTES), "bind", on);
            if (listen && protocol.socketType == SOCK_STREAM) check(SocketLibc.listen(socket.number(), 1), "listen", on);
            return new BoundPort(socket);
        } catch (Throwable e) {
            socket.close();
            throw e;
        }
    }

    @Override
    public void close() {
        socket.close();
    }
}
