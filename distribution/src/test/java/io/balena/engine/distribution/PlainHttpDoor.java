package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;

/// Stands before the JDK's HTTP server and turns TLS away at once, as other servers do; the JDK's waits for a line end that never comes.
final class PlainHttpDoor implements AutoCloseable {
    private static final int TLS_HANDSHAKE = 0x16;

    private final ServerSocket door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final InetSocketAddress server;

    PlainHttpDoor(InetSocketAddress server) throws IOException {
        this.server = server;
        Thread.ofVirtual().start(this::accept);
    }

    int port() {
        return door.getLocalPort();
    }

    @Override
    public void close() throws IOException {
        door.close();
    }

    private void accept() {
        while (!door.isClosed()) {
            try {
                Socket client = door.accept();
                Thread.ofVirtual().start(() -> letIn(client));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void letIn(Socket client) {
        try (client) {
            int first = client.getInputStream().read();
            if (first == TLS_HANDSHAKE || first < 0) return;
            try (Socket inside = new Socket(server.getAddress(), server.getPort())) {
                inside.getOutputStream().write(first);
                Thread.ofVirtual().start(() -> copy(client, inside));
                copy(inside, client);
            }
        } catch (IOException e) {
            // Either side has gone; so does the other.
        }
    }

    private static void copy(Socket from, Socket to) {
        try (from; to) {
            InputStream in = from.getInputStream();
            byte[] buffer = new byte[64 << 10];
            for (int count; (count = in.read(buffer)) > 0; ) to.getOutputStream().write(buffer, 0, count);
        } catch (IOException e) {
            // As above.
        }
    }
}
