package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/// An HTTP proxy that brings everybody to one registry, whatever name was asked for: it relays requests, and tunnels.
final class ScriptedProxy implements AutoCloseable {
    private final ServerSocket door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final int target;
    private final Optional<String> expected;
    private final List<String> requests = new CopyOnWriteArrayList<>();

    /// @param target host and port of the registry
    /// @param expected what must be shown as `Proxy-Authorization`
    ScriptedProxy(String target, Optional<String> expected) throws IOException {
        this.target = Integer.parseInt(target.substring(target.lastIndexOf(':') + 1));
        this.expected = expected;
        Thread.ofVirtual().start(this::accept);
    }

    String address() {
        return "127.0.0.1:" + door.getLocalPort();
    }

    /// Request lines, as they came.
    List<String> requests() {
        return List.copyOf(requests);
    }

    @Override
    public void close() {
        try {
            door.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void accept() {
        try {
            while (true) {
                Socket client = door.accept();
                Thread.ofVirtual().start(() -> serve(client));
            }
        } catch (IOException e) {
            // Closed.
        }
    }

    private void serve(Socket client) {
        try (client) {
            String head = head(client.getInputStream());
            String line = head.lines().findFirst().orElse("");
            requests.add(line);
            boolean known = expected.isEmpty() || head.contains("\r\nProxy-Authorization: " + expected.get() + "\r\n");
            if (!known) {
                client.getOutputStream().write("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\r\n"
                        .getBytes(ISO_8859_1));
                return;
            }
            try (Socket registry = new Socket(InetAddress.getLoopbackAddress(), target)) {
                if (line.startsWith("CONNECT ")) client.getOutputStream().write("HTTP/1.1 200 Connected\r\n\r\n".getBytes(ISO_8859_1));
                else registry.getOutputStream().write(relayed(head).getBytes(ISO_8859_1));
                Thread back = Thread.ofVirtual().start(() -> pour(registry, client));
                pour(client, registry);
                back.join();
            }
        } catch (IOException | InterruptedException e) {
            // One of the two has left.
        }
    }

    /// As the registry is to see it: its own path, nothing that was meant for us, and one request for each connection.
    private static String relayed(String head) {
        return head.replaceFirst(" http://[^/]*", " ").replaceAll("(?i)\r\n(Proxy-[^\r]*|Connection: [^\r]*)", "").replaceFirst("\r\n", "\r\nConnection: close\r\n");
    }

    private static String head(InputStream in) throws IOException {
        var head = new ByteArrayOutputStream();
        while (!head.toString(ISO_8859_1).endsWith("\r\n\r\n")) {
            int next = in.read();
            if (next < 0) throw new IOException("left in the middle");
            head.write(next);
        }
        return head.toString(ISO_8859_1);
    }

    private static void pour(Socket from, Socket to) {
        try {
            from.getInputStream().transferTo(to.getOutputStream());
            to.shutdownOutput();
        } catch (IOException e) {
            // It has left.
        }
    }
}
