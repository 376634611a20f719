package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A registry with good content and bad manners: it recovers, and so does the pull; or it does not, and nothing is left.
@Timeout(90)
class UnsteadyRegistryIT {
    @TempDir
    Path root;

    private final TestImage image = TestImage.ofLayers(3, Compression.GZIP);
    private final CountDownLatch over = new CountDownLatch(1);
    private final Engine.Messages messages = new Engine.Messages();
    private ScriptedRegistry registry;
    private Engine engine;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root, Duration.ofMillis(5), RegistryEndpoints.plain(InsecureRegistries.onLoopback()), Duration.ofMillis(800));
        registry = new ScriptedRegistry();
        image.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
    }

    @AfterEach
    void close() throws IOException {
        over.countDown();
        if (registry != null) registry.close();
        if (engine != null) engine.close();
    }

    @Test
    void itStallsInTheMiddleOfALayerAndTheNextConnectionGoesOn() throws IOException {
        registry.next("" + image.blob(1), stallAfter(5_000), stallAfter(3_000));
        assertPulled();
        assertEquals(Optional.of("bytes=8000-"), registry.requests("" + image.blob(1)).getLast().range());
    }

    @Test
    void itStallsInTheMiddleOfEveryLayerForGood() throws IOException {
        registry.always("" + image.blob(1), stallAfter(0));
        assertFails("no data for 800 ms");
        assertEquals(3, registry.requests("" + image.blob(1)).size());
    }

    @Test
    void itStallsBeforeItAnswersAndRecovers() throws IOException {
        registry.next("/1", (_, _) -> awaitTheEnd());
        registry.next("" + image.blob(1), (_, _) -> awaitTheEnd());
        assertPulled();
    }

    @Test
    void itStallsBeforeItAnswersForGood() throws IOException {
        registry.always("/1", (_, _) -> awaitTheEnd());
        assertFails("timed out");
    }

    @Test
    void itCutsEveryConnectionAfterSomeBytes() throws IOException {
        for (int i = 0; i < 3; i++) registry.always("" + image.blob(i), registry.dropAfter(6_000));
        assertPulled();
    }

    @Test
    void itCutsTheManifest() throws IOException {
        registry.next("/1", registry.dropAfter(20));
        assertPulled();
    }

    @Test
    void itDripsSlowlyAndIsGivenItsTime() throws IOException {
        registry.next("" + image.blob(1), (exchange, content) -> {
            exchange.sendResponseHeaders(200, content.bytes().length);
            OutputStream out = exchange.getResponseBody();
            for (int at = 0; at < content.bytes().length; at += 1000) {
                out.write(content.bytes(), at, Math.min(1000, content.bytes().length - at));
                out.flush();
                java.util.concurrent.locks.LockSupport.parkNanos(50_000_000);
            }
        });
        assertPulled();
        assertEquals(1, registry.requests("" + image.blob(1)).size());
    }

    @Test
    void itIsBusyAndSaysHowLong() throws IOException {
        registry.next("" + image.blob(1), (exchange, content) -> {
            exchange.getResponseHeaders().set("Retry-After", "1");
            ScriptedRegistry.error(429, "TOOMANYREQUESTS", "slow down").give(exchange, content);
        });
        assertPulled();
        assertEquals(1, messages.count(image.blob(1).shortHex() + ": Retrying in 2 seconds"), messages.lines()::toString);
    }

    @Test
    void itIsBusyForGood() throws IOException {
        registry.always("" + image.blob(1), ScriptedRegistry.error(429, "TOOMANYREQUESTS", "you have reached your pull rate limit"));
        assertFails("toomanyrequests: you have reached your pull rate limit");
        assertEquals(3, registry.requests("" + image.blob(1)).size());
    }

    @Test
    void everyKindOfServerErrorPasses() throws IOException {
        for (int status : new int[] {500, 502, 503, 504}) registry.next("/1", ScriptedRegistry.status(status, "<html>"));
        registry.next("" + image.blob(0), ScriptedRegistry.status(500, ""), ScriptedRegistry.status(502, ""));
        registry.next("" + image.blob(1), ScriptedRegistry.status(503, ""), ScriptedRegistry.status(504, ""));
        registry.next("" + image.id(), ScriptedRegistry.status(500, ""));
        // Three attempts each: the manifest's fourth failure is for the next pull.
        assertFails("received unexpected HTTP status: 503");
        assertPulled();
    }

    @Test
    void itAnswersARangeWithAnotherOne() throws IOException {
        registry.next("" + image.blob(1), registry.dropAfter(7_000), range(3_000, 3_000, image.layers().get(1).blob().length));
        assertPulled();
    }

    @Test
    void itAnswersARangeWithTheBytesOfAnotherOne() throws IOException {
        registry.next("" + image.blob(1), registry.dropAfter(7_000), range(7_000, 3_000, image.layers().get(1).blob().length));
        assertFails(DistributionException.InvalidContent.class, "");
    }

    @Test
    void itLiesAboutTheWholeInAContentRange() throws IOException {
        registry.next("" + image.blob(1), registry.dropAfter(7_000), range(7_000, 7_000, 1_000_000));
        assertFails(DistributionException.InvalidContent.class, "has 1000000 bytes in the registry");
    }

    @Test
    void itForgetsRangesInTheMiddle() throws IOException {
        registry.next("" + image.blob(1), registry.dropAfter(7_000), ScriptedRegistry.ignoringRanges());
        assertPulled();
    }

    @Test
    void itSendsLayersInCircles() throws IOException {
        registry.always("" + image.blob(1), ScriptedRegistry.redirect("/v2/app/blobs/" + image.blob(1)));
        assertFails("stopped after 5 redirects");
    }

    @Test
    void itSendsUsToAnotherHostWhichLearnsNothingOfUs() throws IOException {
        try (ScriptedRegistry other = new ScriptedRegistry()) {
            other.putBlob("app", image.layers().get(1).blob());
            registry.next("/1", challenge("Basic realm=\"r\""));
            registry.always("" + image.blob(1), ScriptedRegistry.redirect("http://" + other.host() + "/v2/app/blobs/" + image.blob(1)));
            assertEquals(image.id(), pullWithPassword());
            assertEquals(Optional.of("Basic " + Base64.getEncoder().encodeToString("user:secret".getBytes())),
                    registry.requests("" + image.blob(1)).getLast().authorization());
            assertTrue(other.requests().stream().allMatch(request -> request.authorization().isEmpty()));
        }
    }

    @Test
    void anotherHostThatAsksForThePasswordDoesNotGetIt() throws IOException {
        try (ScriptedRegistry other = new ScriptedRegistry()) {
            registry.always("" + image.blob(1), ScriptedRegistry.redirect("http://" + other.host() + "/v2/app/blobs/" + image.blob(1)));
            for (String wish : new String[] {"Basic realm=\"r\"", "Bearer realm=\"http://" + other.host() + "/token\",service=\"s\""}) {
                other.always("" + image.blob(1), challenge(wish));
                assertThrows(DistributionException.Unauthorized.class, this::pullWithPassword);
            }
            assertTrue(other.requests().stream().allMatch(request -> request.authorization().isEmpty()));
            assertEquals(0, other.requests("service=s").size());
            engine.assertNothingIsUsed();
        }
    }

    private ScriptedRegistry.Answer stallAfter(int bytes) {
        return (exchange, content) -> {
            registry.send(exchange, content, bytes);
            awaitTheEnd();
        };
    }

    /// Claims to begin at `claimed`, but does at `actual`.
    private static ScriptedRegistry.Answer range(int claimed, int actual, int size) {
        return (exchange, content) -> {
            int length = content.bytes().length;
            exchange.getResponseHeaders().set("Content-Range", "bytes " + claimed + "-" + (length - 1) + "/" + size);
            exchange.sendResponseHeaders(206, length - claimed);
            exchange.getResponseBody().write(content.bytes(), actual, length - claimed);
        };
    }

    private static ScriptedRegistry.Answer challenge(String wish) {
        return (exchange, _) -> {
            exchange.getResponseHeaders().set("WWW-Authenticate", wish);
            exchange.sendResponseHeaders(401, -1);
        };
    }

    private void awaitTheEnd() {
        try {
            over.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private String name() {
        return registry.host() + "/app:1";
    }

    private ImageId pullWithPassword() throws IOException {
        return engine.puller.pull(ImageReference.parse(name()), Optional.empty(), new Credentials.Password("user", "secret"), messages);
    }

    private void assertPulled() throws IOException {
        assertEquals(image.id(), engine.pull(name(), messages));
        for (int i = 0; i < 3; i++) assertArrayEquals(TestImage.noise(20_000, i), Files.readAllBytes(engine.fileOf(image.id(), i, "file-" + i)));
    }

    private void assertFails(String message) throws IOException {
        assertFails(DistributionException.Unavailable.class, message);
    }

    private void assertFails(Class<? extends DistributionException> kind, String message) throws IOException {
        DistributionException e = assertInstanceOf(kind, assertThrows(DistributionException.class, () -> engine.pull(name(), messages)));
        assertTrue(e.getMessage().contains(message), e.getMessage());
        engine.assertNothingIsUsed();
    }
}
