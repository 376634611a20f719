package io.balena.engine.daemon;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/// Asks the engine's own API as a client would, all the way from its socket to a handler and back.
final class Ping {
    private static final byte[] REQUEST = "GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n".getBytes(US_ASCII);
    private static final String RIGHT = "HTTP/1.1 200";

    private Ping() {}

    /// Whether it answers as it should; waits for ever where it does not answer.
    static boolean succeeds(Path socket) {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            for (var request = ByteBuffer.wrap(REQUEST); request.hasRemaining(); ) channel.write(request);
            var answer = ByteBuffer.allocate(RIGHT.length());
            while (answer.hasRemaining() && channel.read(answer) >= 0) {
                // until there is as much as is needed
            }
            return new String(answer.array(), US_ASCII).equals(RIGHT);
        } catch (IOException e) {
            return false;
        }
    }
}
