package io.balena.engine.packaging;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/// `attach` over a WebSocket, spoken byte by byte.
@ExtendWith(SharedEngine.class)
@Timeout(60)
class WebSocketIT {
    @Test void inputAndOutputTravelInMessages(Engine engine) throws IOException {
        try (var container = engine.docker().background("-i", "--network", "none", BusyboxImage.NAME, "sh", "-c",
                "while read x; do echo got $x; echo and $x >&2; [ \"$x\" != end ] || exit 0; done");
                var socket = open(engine, "/containers/" + container.id() + "/attach/ws?stream=1&stdin=1&stdout=1&stderr=1")) {
            OutputStream out = Channels.newOutputStream(socket);
            var in = new DataInputStream(Channels.newInputStream(socket));
            assertTrue(head(in).startsWith("HTTP/1.1 101 Switching Protocols\r\n"));
            out.write(frame(0x80 | 2, "one\n"));
            out.write(frame(0x80 | 9, "still there?"));
            out.write(frame(1, "two"));
            out.write(frame(0x80, " words\n"));
            var text = new StringBuilder();
            boolean pong = false;
            while (!text.toString().contains("and two") || !text.toString().contains("got two") || !pong) {
                int kind = in.readUnsignedByte();
                byte[] content = in.readNBytes(length(in));
                if (kind == 0x8a) pong = new String(content, UTF_8).equals("still there?");
                else text.append(new String(content, UTF_8));
            }
            assertTrue(text.toString().contains("got one\n") && text.toString().contains("and one\n"), text.toString());
            out.write(frame(0x80 | 2, "end\n"));
            int kind = 0;
            while (kind != 0x88) {
                kind = in.readUnsignedByte();
                in.readNBytes(length(in));
            }
            assertEquals(-1, in.read());
        }
    }

    @Test void itIsClosedAsItShouldBeAlsoWhenMoreIsTypedThanTheContainerReads(Engine engine) throws IOException {
        try (var container = engine.docker().background("-i", "--network", "none", BusyboxImage.NAME, "sh", "-c", "read x; echo last");
                var socket = open(engine, "/containers/" + container.id() + "/attach/ws?stream=1&stdin=1&stdout=1&stderr=1")) {
            var in = new DataInputStream(Channels.newInputStream(socket));
            head(in);
            OutputStream out = Channels.newOutputStream(socket);
            var typing = Thread.ofVirtual().start(() -> {
                try {
                    while (true) out.write(frame(0x80 | 2, "more and more\n".repeat(8)));
                } catch (IOException e) {
                    // nobody listens any more
                }
            });
            assertEquals(0x82, in.readUnsignedByte());
            assertEquals("last\n", new String(in.readNBytes(length(in)), UTF_8));
            assertEquals(0x88, in.readUnsignedByte());
            typing.interrupt();
        }
    }

    @Test void anUnmaskedFrameEndsTheConnectionAndNotTheContainer(Engine engine) throws IOException {
        try (var container = engine.docker().background("-i", "--network", "none", BusyboxImage.NAME, "cat");
                var socket = open(engine, "/containers/" + container.id() + "/attach/ws?stream=1&stdin=1&stdout=1")) {
            var in = new DataInputStream(Channels.newInputStream(socket));
            head(in);
            Channels.newOutputStream(socket).write(new byte[] {(byte) 0x82, 1, 'x'});
            assertEquals(0x88, in.readUnsignedByte());
            assertEquals(2, length(in));
            assertEquals(1002, in.readUnsignedShort());
            assertEquals("true", container.inspect("{{.State.Running}}"));
        }
    }

    @Test void whoDoesNotAskForOneIsRefused(Engine engine) throws IOException {
        try (var container = engine.docker().background("--network", "none", BusyboxImage.NAME, "sleep", "100")) {
            var answer = Command.of("curl", "-si", "--unix-socket", engine.socket().toString(),
                    "http://docker/v1.41/containers/" + container.id() + "/attach/ws?stream=1").run().out();
            assertTrue(answer.startsWith("HTTP/1.1 400 "), answer);
        }
    }

    private static SocketChannel open(Engine engine, String path) throws IOException {
        var socket = SocketChannel.open(StandardProtocolFamily.UNIX);
        socket.connect(UnixDomainSocketAddress.of(engine.socket()));
        Channels.newOutputStream(socket).write(("GET /v1.41" + path + " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").getBytes(UTF_8));
        return socket;
    }

    private static String head(InputStream in) throws IOException {
        var head = new ByteArrayOutputStream();
        while (!head.toString(UTF_8).endsWith("\r\n\r\n")) head.write(in.read());
        assertTrue(head.toString(UTF_8).contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), head.toString(UTF_8));
        return head.toString(UTF_8);
    }

    private static byte[] frame(int first, String text) {
        byte[] content = text.getBytes(UTF_8);
        byte[] mask = {1, 2, 3, 4};
        byte[] frame = new byte[6 + content.length];
        frame[0] = (byte) first;
        frame[1] = (byte) (0x80 | content.length);
        System.arraycopy(mask, 0, frame, 2, 4);
        for (int i = 0; i < content.length; i++) frame[6 + i] = (byte) (content[i] ^ mask[i % 4]);
        return frame;
    }

    private static int length(DataInputStream in) throws IOException {
        int length = in.readUnsignedByte();
        return length == 126 ? in.readUnsignedShort() : length;
    }
}
