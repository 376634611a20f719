package io.balena.engine.dns;

import io.balena.engine.linux.NetworkNamespace;
import java.io.IOException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/// The machine's network namespace, to which the resolver's thread returns from those of containers.
///
/// A socket stays where it was made, so the thread is elsewhere only while it makes one. Anything it started there would stay there, and
/// keep the namespace: what the JDK starts along with its first sockets is started here, before.
final class Home implements AutoCloseable {
    interface Opening<T> {
        T open() throws IOException;
    }

    private final NetworkNamespace namespace;

    Home() throws IOException {
        namespace = NetworkNamespace.current();
        DatagramChannel.open().close();
        SocketChannel.open().close();
        ServerSocketChannel.open().close();
    }

    /// @param opening makes a socket, and nothing else
    <T> T in(NetworkNamespace container, Opening<T> opening) throws IOException {
        container.enter();
        try {
            return opening.open();
        } finally {
            namespace.enter();
        }
    }

    @Override
    public void close() {
        namespace.close();
    }
}
