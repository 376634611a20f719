package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;

/// A bad line to a registry: it cuts the first connections that carry much.
final class CuttingDoor implements AutoCloseable {
    private final ServerSocket door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final int registryPort;
    private final int most;
    private final AtomicInteger cuts;

    /// @param most bytes that go through a connection before it is cut
    /// @param cuts how many connections that happens to
    CuttingDoor(String registry, int most, int cuts) throws IOException {
        this.registryPort = Integer.parseInt(registry.substring(registry.indexOf(':') + 1));
        this.most = most;
        this.cuts = new AtomicInteger(cuts);
        Thread.ofVirtual().start(this::serve);
    }

    String host() {
        return "127.0.0.1:" + door.getLocalPort();
    }

    private void serve() {
        while (true) {
            try {
                Socket client = door.accept();
                Socket registry = new Socket(InetAddress.getLoopbackAddress(), registryPort);
                Thread.ofVirtual().start(() -> pass(client, registry, true));
                Thread.ofVirtual().start(() -> pass(registry, client, false));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void pass(Socket from, Socket to, boolean mayBeCut) {
        try (from; to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] buffer = new byte[8192];
            long passed = 0;
            for (int count; (count = in.read(buffer)) >= 0; ) {
                out.write(buffer, 0, count);
                passed += count;
                if (mayBeCut && passed > most && cuts.getAndDecrement() > 0) return;
            }
        } catch (IOException e) {
            // One side has hung up.
        }
    }

    @Override
    public void close() throws IOException {
        door.close();
    }
}
