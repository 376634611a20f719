package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TarDownloadsTest {
    private static final byte[] CONTENT = TestImage.noise(300_000, 1);

    private final TarDownloads downloads = new TarDownloads(config(Duration.ofSeconds(20)));
    private ScriptedRegistry server;

    @BeforeEach
    void start() throws IOException {
        server = new ScriptedRegistry();
        server.always("/file.tar", ScriptedRegistry.bytes(CONTENT));
    }

    @AfterEach
    void stop() {
        server.close();
    }

    @Test
    void theSchemeMayBeMissing() {
        assertEquals("http://host:1/a.tar", TarDownloads.address("host:1/a.tar").toString());
        assertEquals("https://host/a.tar", TarDownloads.address("https://host/a.tar").toString());
    }

    @Test
    void onlyHttpIsSpoken() {
        for (String bad : new String[] {"ftp://host/a", "file:///etc/passwd", "http:///a", "http://a b/c"}) {
            assertThrows(DistributionException.InvalidRequest.class, () -> TarDownloads.address(bad), bad);
        }
    }

    @Test
    void theBodyIsStreamedAndItsSizeKnown() throws IOException {
        try (var download = downloads.open(at("/file.tar"))) {
            assertEquals(CONTENT.length, download.size());
            assertArrayEquals(CONTENT, download.body().readAllBytes());
        }
    }

    @Test
    void redirectsAreFollowed() throws IOException {
        server.always("/moved.tar", ScriptedRegistry.redirect("/file.tar"));
        try (var download = downloads.open(at("/moved.tar"))) {
            assertArrayEquals(CONTENT, download.body().readAllBytes());
        }
    }

    @Test
    void aCircleOfRedirectsEnds() {
        server.always("/circle.tar", ScriptedRegistry.redirect("/circle.tar"));
        String message = assertThrows(DistributionException.Unavailable.class, () -> downloads.open(at("/circle.tar"))).getMessage();
        assertTrue(message.contains("stopped after 10 redirects"), message);
    }

    @Test
    void aRedirectToAFileIsRefused() {
        server.always("/evil.tar", ScriptedRegistry.redirect("file:///etc/passwd"));
        assertTrue(assertThrows(IOException.class, () -> downloads.open(at("/evil.tar"))).getMessage().contains("invalid address"));
    }

    @Test
    void whatIsNotThereIsSaidInTheServersWords() {
        server.always("/none.tar", ScriptedRegistry.status(404, "nothing here"));
        assertEquals("failed to GET " + at("/none.tar") + " with status 404: nothing here",
                assertThrows(DistributionException.NotInRegistry.class, () -> downloads.open(at("/none.tar"))).getMessage());
    }

    @Test
    void aBodyThatBreaksOffIsAnError() throws IOException {
        server.always("/cut.tar", (exchange, _) -> {
            exchange.sendResponseHeaders(200, CONTENT.length);
            exchange.getResponseBody().write(CONTENT, 0, 1000);
            exchange.getResponseBody().flush();
        });
        // The connection may end before the client has looked at the response.
        assertThrows(IOException.class, () -> {
            try (var download = downloads.open(at("/cut.tar"))) {
                download.body().readAllBytes();
            }
        });
    }

    @Test
    void aServerThatFallsSilentIsGivenUp() throws IOException {
        var never = new CountDownLatch(1);
        server.always("/silent.tar", (exchange, _) -> {
            exchange.sendResponseHeaders(200, CONTENT.length);
            exchange.getResponseBody().write(CONTENT, 0, 1000);
            exchange.getResponseBody().flush();
            try {
                never.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        try (var download = new TarDownloads(config(Duration.ofSeconds(1))).open(at("/silent.tar"))) {
            assertThrows(IOException.class, () -> download.body().readAllBytes());
        } finally {
            never.countDown();
        }
    }

    @Test
    void nobodyListens() {
        server.close();
        String message = assertThrows(DistributionException.Unavailable.class, () -> downloads.open(at("/file.tar"))).getMessage();
        assertTrue(message.endsWith("connect: connection refused"), message);
    }

    private URI at(String path) {
        return URI.create("http://" + server.host() + path);
    }

    private static RegistryConfig config(Duration idleTimeout) {
        return new RegistryConfig("test", Set.of(), new RegistryConfig.Transfers(1, 1), new RegistryConfig.Transfers(1, 1), idleTimeout);
    }
}
