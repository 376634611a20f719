package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class BlobUploadTest {
    private static final byte[] BLOB = TestImage.noise(3_000_000, 7);
    private static final RetryPolicy RETRIES = new RetryPolicy(3, Duration.ofMillis(5), Duration.ofMillis(20));

    private final Cancellation cancellation = new Cancellation();
    private final List<Integer> countdown = new ArrayList<>();
    private ScriptedRegistry registry;
    private Repository repository;

    @BeforeEach
    void start() throws IOException {
        registry = new ScriptedRegistry();
        open(new Credentials.Anonymous(), Duration.ofSeconds(5));
    }

    @AfterEach
    void stop() {
        repository.close();
        registry.close();
    }

    @Test
    void aBlobIsBegunSentInOneStreamAndCompleted() throws IOException {
        assertSent(send(BLOB));
        assertEquals(List.of("POST", "PATCH", "PUT"), registry.requests().stream().map(ScriptedRegistry.Request::method).toList());
        assertEquals(List.of(), countdown);
    }

    @Test
    void anEmptyBlobIsSentToo() throws IOException {
        RequestBody.Sent sent = send(new byte[0]);
        assertEquals(new RequestBody.Sent(Digest.of(new byte[0]), 0), sent);
        assertEquals(0, registry.blob("app", sent.digest()).orElseThrow().length);
    }

    @Test
    void theRegistrySaysWhereToGoOnInAnyWayItLikes() throws IOException {
        for (var how : ScriptedUploads.Location.values()) {
            registry.uploads().spell(how);
            byte[] blob = TestImage.noise(1000, how.ordinal());
            assertArrayEquals(blob, registry.blob("app", send(blob).digest()).orElseThrow());
        }
    }

    @Test
    void anInterruptedUploadGoesOnWhereItStopped() throws IOException {
        registry.nextOf("PATCH", registry.uploads().cutAfter(1_000_000));
        assertSent(send(BLOB));
        assertEquals(1, registry.requestsOf("POST").size());
        assertEquals(1, registry.requestsOf("GET").size());
        assertEquals(List.of(1), countdown);
    }

    @Test
    void progressBetweenFailuresKeepsAnUploadAlive() throws IOException {
        var cut = registry.uploads().cutAfter(500_000);
        registry.nextOf("PATCH", cut, cut, cut, cut);
        assertSent(send(BLOB));
        assertEquals(5, registry.requestsOf("PATCH").size());
    }

    @Test
    void anInterruptedUploadBeginsAnewWhereTheRegistryKeepsNothing() throws IOException {
        registry.nextOf("PATCH", registry.uploads().cutAfter(1_000_000));
        registry.nextOf("GET", ScriptedRegistry.error(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown"));
        assertSent(send(BLOB));
        assertEquals(2, registry.requestsOf("POST").size());
    }

    @Test
    void anUploadThatCannotBeResumedAfterAllBeginsAnew() throws IOException {
        registry.nextOf("PATCH", registry.uploads().cutAfter(1_000_000), ScriptedRegistry.status(416, ""));
        assertSent(send(BLOB));
        assertEquals(2, registry.requestsOf("POST").size());
    }

    @Test
    void aRegistryThatMiscountsWhatItKeptGetsEverythingAgain() throws IOException {
        registry.nextOf("PATCH", registry.uploads().cutAfter(1_000_000));
        registry.nextOf("GET", (exchange, _) -> {
            exchange.getResponseHeaders().set("Range", "0-1234567");
            exchange.sendResponseHeaders(204, -1);
        });
        assertSent(send(BLOB));
        assertEquals(2, registry.requestsOf("POST").size());
    }

    @Test
    void aLostAnswerDoesNotCostASecondUpload() throws IOException {
        registry.nextOf("PUT", registry.uploads().takeInSilence());
        assertSent(send(BLOB));
        assertEquals(1, registry.requestsOf("PATCH").size());
    }

    @Test
    void aRegistryThatStumblesWhileCompletingIsNotSentEverythingAgain() throws IOException {
        registry.nextOf("PUT", ScriptedRegistry.status(503, ""));
        assertSent(send(BLOB));
        assertEquals(1, registry.requestsOf("PATCH").size());
        assertEquals(2, registry.requestsOf("PUT").size());
    }

    @Test
    void serverErrorsInTheMiddleAreRetried() throws IOException {
        registry.nextOf("PATCH", registry.uploads().after(1_000_000, ScriptedRegistry.status(500, "")));
        assertSent(send(BLOB));
    }

    @Test
    void aRegistryThatNeverTakesAByteIsGivenUpAfterTheAttempts() {
        var cut = registry.uploads().cutAfter(0);
        registry.nextOf("PATCH", cut, cut, cut, cut);
        assertThrows(DistributionException.Unavailable.class, () -> send(BLOB));
        assertEquals(3, registry.requestsOf("PATCH").size());
    }

    @Test
    void refusalsAreFinal() {
        for (int status : List.of(401, 403, 404)) {
            registry.nextOf("PATCH", registry.uploads().unmoved(ScriptedRegistry.status(status, "")));
            assertEquals(status, assertThrows(RegistryFailure.class, () -> send(BLOB)).status());
        }
        assertEquals(3, registry.requestsOf("PATCH").size());
    }

    @Test
    void aBlobTooLargeForTheRegistryIsSentOnce() {
        registry.nextOf("PATCH", registry.uploads().after(BLOB.length, ScriptedRegistry.status(413, "<html>too large</html>")));
        RegistryFailure failure = assertThrows(RegistryFailure.class, () -> send(BLOB));
        assertEquals("the registry accepts nothing this large: 413 Request Entity Too Large", failure.getMessage());
        assertEquals(1, registry.requestsOf("PATCH").size());
    }

    @Test
    void aTokenThatExpiresInTheMiddleIsRenewed() throws IOException {
        open(new Credentials.Password("user", "secret"), Duration.ofSeconds(5));
        ScriptedRegistry.Answer challenge = (exchange, content) -> {
            exchange.getResponseHeaders().set("WWW-Authenticate", "Bearer realm=\"http://" + registry.host() + "/token\",service=\"it\"");
            ScriptedRegistry.status(401, "").give(exchange, content);
        };
        registry.next("/token?account=user&scope=repository%3Aapp%3Apull%2Cpush&service=it",
                ScriptedRegistry.bytes("{\"token\":\"first\"}".getBytes()), ScriptedRegistry.bytes("{\"token\":\"second\"}".getBytes()));
        registry.nextOf("POST", challenge);
        registry.nextOf("PATCH", registry.uploads().unmoved(challenge));
        assertSent(send(BLOB));
        assertEquals(List.of("Bearer first", "Bearer second"),
                registry.requestsOf("PATCH").stream().map(request -> request.authorization().orElse("")).toList());
        assertEquals(List.of(), countdown);
    }

    @Test
    void whatCannotBeReadIsNotTheNetworksFault() {
        BlobUpload upload = upload(out -> {
            out.write(BLOB, 0, 1_000_000);
            while (registry.requestsOf("PATCH").isEmpty()) LockSupport.parkNanos(1_000_000);
            throw new IOException("layer is damaged: etc/passwd is shorter than recorded");
        });
        IOException failure = assertThrows(BlobUpload.UnreadableContent.class, upload::send);
        assertEquals("layer is damaged: etc/passwd is shorter than recorded", failure.getMessage());
        assertEquals(1, registry.requestsOf("PATCH").size());
    }

    @Test
    void aRegistryThatStopsReadingCountsAsBroken() throws Exception {
        open(new Credentials.Anonymous(), Duration.ofSeconds(3));
        CountDownLatch over = new CountDownLatch(1);
        registry.nextOf("PATCH", registry.uploads().after(100_000, (_, _) -> awaitQuietly(over)));
        byte[] large = TestImage.noise(30_000_000, 3);
        assertEquals(Digest.of(large), send(large).digest());
        over.countDown();
        assertTrue(registry.requestsOf("PATCH").size() >= 2);
    }

    @Test
    void aSlowContentIsNoBrokenConnection() throws IOException {
        open(new Credentials.Anonymous(), Duration.ofSeconds(3));
        RequestBody.Sent sent = upload(out -> {
            for (int i = 0; i < 8; i++) {
                out.write(BLOB, i * 100_000, 100_000);
                new Cancellation().sleep(Duration.ofMillis(700));
            }
        }).send();
        assertEquals(800_000, sent.size());
        assertEquals(1, registry.requestsOf("PATCH").size());
    }

    @Test
    void cancellingStopsTheUploadAndItsThread() throws Exception {
        CountDownLatch reached = new CountDownLatch(1);
        CountDownLatch over = new CountDownLatch(1);
        registry.nextOf("PATCH", registry.uploads().after(100_000, (_, _) -> {
            reached.countDown();
            awaitQuietly(over);
        }));
        CountDownLatch contentEnded = new CountDownLatch(1);
        FutureTask<RequestBody.Sent> sending = new FutureTask<>(upload(out -> {
            try {
                endless(out);
            } finally {
                contentEnded.countDown();
            }
        })::send);
        Thread.ofVirtual().start(sending);
        reached.await();
        cancellation.cancel();
        assertTrue(assertThrows(ExecutionException.class, sending::get).getCause() instanceof InterruptedIOException);
        contentEnded.await();
        over.countDown();
    }

    @Test
    void whereToGoOnMayNotBeTheFileSystem() {
        registry.nextOf("POST", (exchange, _) -> {
            exchange.getResponseHeaders().set("Location", "file:///etc/passwd");
            exchange.sendResponseHeaders(202, -1);
        });
        registry.nextOf("POST", (exchange, _) -> exchange.sendResponseHeaders(202, -1));
        registry.nextOf("POST", ScriptedRegistry.status(403, ""));
        assertThrows(RegistryFailure.class, () -> send(BLOB));
        assertEquals(0, registry.requestsOf("PATCH").size());
    }

    private static void endless(OutputStream out) throws IOException {
        while (true) out.write(BLOB);
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void open(Credentials credentials, Duration idleTimeout) {
        if (repository != null) repository.close();
        RegistryConfig defaults = RegistryConfig.defaults("test");
        RegistryConfig config = new RegistryConfig("test", Set.of(), defaults.downloads(), defaults.uploads(), idleTimeout);
        ImageReference app = ImageReference.parse(registry.host() + "/app");
        repository = Repository.open(app, Access.PUSH, credentials, config, new HttpConnections());
    }

    private BlobUpload upload(RequestBody.Content content) {
        return new BlobUpload(new RemoteBlobs(repository, cancellation), content, Optional.empty(), RETRIES, countdown::add, "content");
    }

    private RequestBody.Sent send(byte[] blob) throws IOException {
        return upload(out -> out.write(blob)).send();
    }

    private void assertSent(RequestBody.Sent sent) {
        assertEquals(new RequestBody.Sent(Digest.of(BLOB), BLOB.length), sent);
        assertArrayEquals(BLOB, registry.blob("app", sent.digest()).orElseThrow());
    }
}
