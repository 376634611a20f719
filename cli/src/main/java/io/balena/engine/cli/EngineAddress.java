package io.balena.engine.cli;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/// Where an engine listens, as written after `-H` and in `DOCKER_HOST`.
sealed interface EngineAddress {

    String DEFAULT = "unix:///var/run/balena-engine.sock";

    record UnixSocket(Path path) implements EngineAddress {
        @Override public SocketChannel connect() throws IOException {
            var channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            return connected(channel, UnixDomainSocketAddress.of(path));
        }

        @Override public String toString() {
            return "unix://" + path;
        }
    }

    record Tcp(String host, int port) implements EngineAddress {
        @Override public SocketChannel connect() throws IOException {
            return connected(SocketChannel.open(), new InetSocketAddress(host, port));
        }

        @Override public String toString() {
            return "tcp://" + host + ":" + port;
        }
    }

    SocketChannel connect() throws IOException;

    private static SocketChannel connected(SocketChannel channel, java.net.SocketAddress address) throws IOException {
        try {
            channel.connect(address);
            return channel;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw new IOException(String.valueOf(e.getMessage()), e);
        }
    }

    /// @throws IllegalArgumentException in Docker's words, when `text` names no listener we can reach
    static EngineAddress parse(String text) {
        if (text.startsWith("unix://")) {
            var path = text.substring("unix://".length());
            return new UnixSocket(Path.of(path.isEmpty() ? "/var/run/balena-engine.sock" : path));
        }
        if (text.startsWith("tcp://") || !text.contains("://")) {
            var rest = text.startsWith("tcp://") ? text.substring("tcp://".length()) : text;
            if (rest.endsWith("/")) rest = rest.substring(0, rest.length() - 1);
            int colon = rest.lastIndexOf(':');
            boolean inBrackets = rest.lastIndexOf(']') > colon;
            try {
                return colon < 0 || inBrackets
                        ? new Tcp(rest.isEmpty() ? "localhost" : rest, 2375)
                        : new Tcp(colon == 0 ? "localhost" : rest.substring(0, colon), Integer.parseInt(rest.substring(colon + 1)));
            } catch (NumberFormatException _) {
                // falls through to the one message
            }
        }
        throw new IllegalArgumentException("unable to parse docker host `" + text + "`");
    }
}
