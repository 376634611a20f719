package io.balena.engine.network;

import io.balena.engine.linux.NetworkNamespace;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// A process in a network namespace of its own: a container, or a neighbour of the machine.
final class Host implements AutoCloseable {
    /// A busy machine may take its time.
    private static final int PATIENCE_MILLIS = 20_000;
    private static final int BRIEF_MILLIS = 800;

    private final Process process;
    private final List<AutoCloseable> servers = new ArrayList<>();

    private Host(Process process) {
        this.process = process;
    }

    static Host start() throws IOException {
        var process = new ProcessBuilder("unshare", "--net", "sh", "-c", "echo ready; exec sleep 600").start();
        if (!"ready".equals(new BufferedReader(process.inputReader()).readLine())) throw new IOException("unshare failed");
        return new Host(process);
    }

    /// A host on the wire of the calling thread's machine: 198.51.100.2, the machine being 198.51.100.1.
    static Host outside() throws IOException {
        var host = start();
        Shell.run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "wan1", "netns", "" + host.pid());
        Shell.run("ip", "addr", "add", "198.51.100.1/24", "dev", "wan0");
        Shell.run("ip", "link", "set", "wan0", "up");
        host.run("ip", "addr", "add", "198.51.100.2/24", "dev", "wan1");
        host.run("ip", "link", "set", "wan1", "up");
        return host;
    }

    int pid() {
        return (int) process.pid();
    }

    String run(String... command) throws IOException {
        var whole = new ArrayList<>(List.of("nsenter", "-t", "" + pid(), "-n"));
        whole.addAll(List.of(command));
        return Shell.run(whole.toArray(String[]::new));
    }

    /// Answers each TCP connection with the address it came from.
    Host serveTcp(int port) throws IOException {
        return serveTcp(StandardProtocolFamily.INET, "0.0.0.0", port);
    }

    Host serveTcp6(int port) throws IOException {
        return serveTcp(StandardProtocolFamily.INET6, "::", port);
    }

    private Host serveTcp(StandardProtocolFamily family, String any, int port) throws IOException {
        var server = inside(() -> ServerSocketChannel.open(family).bind(new InetSocketAddress(any, port)));
        servers.add(server);
        Thread.ofPlatform().daemon().start(() -> {
            try {
                for (;;) {
                    try (var connection = server.accept()) {
                        var from = (InetSocketAddress) connection.getRemoteAddress();
                        connection.write(StandardCharsets.UTF_8.encode(from.getAddress().getHostAddress()));
                    }
                }
            } catch (IOException e) {
                // Closed by the test.
            }
        });
        return this;
    }

    Host serveUdp(int port) throws IOException {
        var server = inside(() -> DatagramChannel.open(StandardProtocolFamily.INET).bind(new InetSocketAddress("0.0.0.0", port)));
        servers.add(server);
        Thread.ofPlatform().daemon().start(() -> {
            try {
                for (;;) {
                    var from = (InetSocketAddress) server.receive(ByteBuffer.allocate(100));
                    server.send(StandardCharsets.UTF_8.encode(from.getAddress().getHostAddress()), from);
                }
            } catch (IOException e) {
                // Closed by the test.
            }
        });
        return this;
    }

    /// @return who the server says we are
    String askTcp(String address, int port) throws IOException {
        return inside(() -> tcp(address, port));
    }

    /// For what should not be reached.
    String askTcpBriefly(String address, int port) throws IOException {
        return inside(() -> tcpBriefly(address, port));
    }

    String askUdp(String address, int port) throws IOException {
        return inside(() -> udp(address, port));
    }

    static String tcp(String address, int port) throws IOException {
        return tcp(address, port, PATIENCE_MILLIS);
    }

    /// For what should not be reached.
    static String tcpBriefly(String address, int port) throws IOException {
        return tcp(address, port, BRIEF_MILLIS);
    }

    private static String tcp(String address, int port, int limitMillis) throws IOException {
        try (var channel = SocketChannel.open(address.indexOf(':') >= 0 ? StandardProtocolFamily.INET6 : StandardProtocolFamily.INET)) {
            channel.socket().connect(new InetSocketAddress(address, port), limitMillis);
            channel.socket().setSoTimeout(limitMillis);
            return new String(channel.socket().getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    static String udp(String address, int port) throws IOException {
        try (var channel = DatagramChannel.open(StandardProtocolFamily.INET)) {
            channel.connect(new InetSocketAddress(address, port));
            return exchange(channel);
        }
    }

    /// One that keeps its own port, so that all it sends is one flow to the kernel.
    DatagramChannel udpSender(String address, int port) throws IOException {
        return inside(() -> DatagramChannel.open(StandardProtocolFamily.INET).connect(new InetSocketAddress(address, port)));
    }

    static String exchange(DatagramChannel channel) throws IOException {
        channel.socket().setSoTimeout(800);
        channel.write(ByteBuffer.wrap(new byte[] {1}));
        var answer = new DatagramPacket(new byte[100], 100);
        channel.socket().receive(answer);
        return new String(answer.getData(), 0, answer.getLength(), StandardCharsets.UTF_8);
    }

    private <T> T inside(java.util.concurrent.Callable<T> work) throws IOException {
        try (var namespace = NetworkNamespace.ofProcess(pid())) {
            return namespace.call(work);
        }
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly();
        for (AutoCloseable server : servers) {
            try {
                server.close();
            } catch (Exception e) {
                throw new IOException(e);
            }
        }
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }
}
