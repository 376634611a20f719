package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A registry that sends without end where an end is to be expected: it is left, soon, and with little of it in memory.
@Timeout(90)
class ExcessiveRegistryIT {
    private static final byte[] BLOCK = "x".repeat(1 << 16).getBytes(ISO_8859_1);
    /// What may be under way in buffers, of ours and of the kernel.
    private static final long ENOUGH = 64L << 20;

    @TempDir
    Path root;

    private final AtomicLong sent = new AtomicLong();
    private ServerSocket door;
    private Engine engine;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root);
        door = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    }

    @AfterEach
    void close() throws IOException {
        door.close();
        if (engine != null) engine.close();
    }

    @Test
    void headersWithoutEnd() throws IOException {
        serve("HTTP/1.1 200 OK\r\n", "X-Bomb: " + "b".repeat(1000) + "\r\n");
        assertGivenUp();
    }

    @Test
    void oneHeaderWithoutEnd() throws IOException {
        serve("HTTP/1.1 200 OK\r\nX-Bomb: ", "b".repeat(1000));
        assertGivenUp();
    }

    @Test
    void aStatusLineWithoutEnd() throws IOException {
        serve("HTTP/1.1 200 ", "b".repeat(1000));
        assertGivenUp();
    }

    @Test
    void interimAnswersWithoutEnd() throws IOException {
        serve("", "HTTP/1.1 102 Processing\r\n\r\n");
        assertGivenUp();
    }

    @Test
    void aManifestWithoutEnd() throws IOException {
        serve("HTTP/1.1 200 OK\r\nContent-Type: " + Manifest.OCI_MANIFEST + "\r\n\r\n", " ".repeat(1000));
        assertEquals("manifest of app is larger than 4194304 bytes", assertGivenUp());
    }

    @Test
    void anErrorWithoutEnd() throws IOException {
        serve("HTTP/1.1 404 Not Found\r\n\r\n", "{\"errors\":[".repeat(100));
        assertEquals("unknown: not found", assertGivenUp());
    }

    /// It is not unpacked: we did not ask for that.
    @Test
    void anErrorInAGzipBomb() throws IOException {
        byte[] bomb = CompressionTest.pack(Compression.GZIP, new byte[50 << 20]);
        serve("HTTP/1.1 403 Forbidden\r\nContent-Encoding: gzip\r\nContent-Length: " + bomb.length + "\r\n\r\n" + new String(bomb, ISO_8859_1), "");
        assertTrue(assertGivenUp().contains("denied: requested access to the resource is denied"));
    }

    @Test
    void anErrorThatIsDeeplyNestedAndOneForTheTerminal() throws IOException {
        String deep = "[".repeat(10_000);
        serve("HTTP/1.1 403 Forbidden\r\nContent-Length: " + deep.length() + "\r\n\r\n" + deep, "");
        assertTrue(assertGivenUp().contains("denied: requested access to the resource is denied"));
        String escape = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\\u001b[2J" + "x".repeat(1000) + "\"}]}";
        serve("HTTP/1.1 403 Forbidden\r\nContent-Length: " + escape.length() + "\r\n\r\n" + escape, "");
        String message = assertGivenUp();
        assertTrue(message.chars().noneMatch(Character::isISOControl) && message.length() < 600, message);
    }

    private String assertGivenUp() throws IOException {
        String message = assertThrows(DistributionException.class, () -> engine.pull("127.0.0.1:" + door.getLocalPort() + "/app:1")).getMessage();
        assertTrue(sent.get() < ENOUGH, () -> sent.get() + " bytes were taken");
        engine.assertEmpty();
        return message;
    }

    /// Says `beginning`, then `more` again and again, to everybody who speaks plain HTTP.
    private void serve(String beginning, String more) {
        Thread.ofVirtual().start(() -> {
            try {
                while (true) {
                    Socket client = door.accept();
                    Thread.ofVirtual().start(() -> answer(client, beginning, more));
                }
            } catch (IOException e) {
                // The test is over.
            }
        });
    }

    private void answer(Socket client, String beginning, String more) {
        byte[] block = more.repeat(Math.max(1, BLOCK.length / Math.max(1, more.length()))).getBytes(ISO_8859_1);
        try (client) {
            if (client.getInputStream().read() != 'G') return;
            OutputStream out = client.getOutputStream();
            out.write(beginning.getBytes(ISO_8859_1));
            out.flush();
            while (block.length > 0) {
                out.write(block);
                sent.addAndGet(block.length);
            }
            client.shutdownOutput();
            client.getInputStream().transferTo(OutputStream.nullOutputStream());
        } catch (IOException e) {
            // We were left, as is right.
        }
    }
}
