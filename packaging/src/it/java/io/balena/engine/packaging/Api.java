package io.balena.engine.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

/// The engine's API without a program in between: it is known to the moment when an answer was whole, and one that was cut
/// short is an [IOException], never an answer.
///
/// @param version of the API that is spoken, e.g. `1.41`
record Api(Path socket, String version) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration PATIENCE = Duration.ofMinutes(3);

    Api(Path socket) {
        this(socket, "1.41");
    }

    record Answer(int status, byte[] content) {
        boolean succeeded() {
            return status < 300 && failureInStream() == null;
        }

        String body() {
            return new String(content, UTF_8);
        }

        JsonNode json() {
            try {
                return JSON.readTree(content);
            } catch (IOException e) {
                throw new UncheckedIOException(body(), e);
            }
        }

        /// What the engine says went wrong, in its status or later in its stream of messages.
        String failure() {
            return status >= 300 ? json().path("message").asText(body()) : failureInStream();
        }

        private String failureInStream() {
            for (String line : body().split("\n")) {
                if (line.startsWith("{\"error")) return line;
            }
            return null;
        }
    }

    Answer get(String path) throws IOException {
        return call("GET", path, "application/json", new byte[0]);
    }

    Answer delete(String path) throws IOException {
        return call("DELETE", path, "application/json", new byte[0]);
    }

    Answer post(String path) throws IOException {
        return call("POST", path, "application/json", new byte[0]);
    }

    Answer post(String path, String json) throws IOException {
        return call("POST", path, "application/json", json.getBytes(UTF_8));
    }

    Answer postTar(String path, byte[] tar) throws IOException {
        return call("POST", path, "application/x-tar", tar);
    }

    Answer call(String method, String path, String type, byte[] body) throws IOException {
        try (var channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            var watchdog = Thread.ofVirtual().start(() -> closeAfterPatience(channel));
            try {
                String head = method + " /v" + version + path + " HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Type: " + type
                        + "\r\nContent-Length: " + body.length + "\r\n\r\n";
                write(channel, head.getBytes(ISO_8859_1), body);
                return answer(method, Channels.newInputStream(channel).readAllBytes());
            } catch (AsynchronousCloseException e) {
                throw new AssertionError("no answer to " + method + " " + path + " within " + PATIENCE, e);
            } finally {
                watchdog.interrupt();
            }
        }
    }

    private static void closeAfterPatience(SocketChannel channel) {
        try {
            Thread.sleep(PATIENCE);
            channel.close();
        } catch (IOException | InterruptedException _) {
            // answered in time
        }
    }

    // In one go where it fits: an engine that refuses by the head alone may be gone before a body that comes after.
    private static void write(SocketChannel channel, byte[] head, byte[] body) throws IOException {
        var buffers = new ByteBuffer[] {ByteBuffer.wrap(head), ByteBuffer.wrap(body)};
        while (buffers[0].hasRemaining() || buffers[1].hasRemaining()) channel.write(buffers);
    }

    private static Answer answer(String method, byte[] bytes) throws IOException {
        String text = new String(bytes, ISO_8859_1);
        int end = text.indexOf("\r\n\r\n");
        if (end < 0) throw new EOFException("the answer was cut short");
        String head = text.substring(0, end + 2).toLowerCase();
        int status = Integer.parseInt(head.substring(9, 12));
        byte[] body = Arrays.copyOfRange(bytes, end + 4, bytes.length);
        if (method.equals("HEAD")) return new Answer(status, body);
        if (head.contains("\r\ntransfer-encoding: chunked\r\n")) return new Answer(status, chunks(body));
        int at = head.indexOf("\r\ncontent-length: ");
        int length = at < 0 ? body.length : Integer.parseInt(head.substring(at + 18, head.indexOf("\r\n", at + 2)).strip());
        if (body.length < length) throw new EOFException("the answer was cut short");
        return new Answer(status, body);
    }

    private static byte[] chunks(byte[] body) throws IOException {
        var all = new ByteArrayOutputStream();
        String text = new String(body, ISO_8859_1);
        for (int at = 0; ; ) {
            int line = text.indexOf("\r\n", at);
            if (line < 0) throw new EOFException("the answer was cut short");
            int size = Integer.parseInt(text.substring(at, line), 16);
            if (size == 0) return all.toByteArray();
            if (body.length < line + 2 + size) throw new EOFException("the answer was cut short");
            all.write(body, line + 2, size);
            at = line + 2 + size + 2;
        }
    }
}
