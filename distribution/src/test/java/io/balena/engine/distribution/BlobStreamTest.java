package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class BlobStreamTest {
    private static final byte[] CONTENT = TestImage.noise(1_000_000, 7);
    private static final Digest DIGEST = Digest.of(CONTENT);
    private static final RetryPolicy RETRIES = new RetryPolicy(3, Duration.ofMillis(5), Duration.ofMillis(20));

    private ScriptedRegistry registry;
    private Repository repository;
    private final Cancellation cancellation = new Cancellation();
    private final List<Integer> countdown = new ArrayList<>();

    @BeforeEach
    void start() throws IOException {
        registry = new ScriptedRegistry();
        registry.putBlob("app", CONTENT);
        RegistryConfig config = new RegistryConfig(
                "balenaEngine/test", Set.of(), new RegistryConfig.Transfers(3, 3), new RegistryConfig.Transfers(5, 3), Duration.ofMillis(400));
        repository = Repository.open(
                ImageReference.parse(registry.host() + "/app"), Access.PULL, new Credentials.Anonymous(), config, new HttpConnections());
    }

    @AfterEach
    void stop() {
        repository.close();
        registry.close();
    }

    @Test
    void aBlobArrivesWhole() throws IOException {
        assertArrayEquals(CONTENT, readAndVerify());
        assertEquals("balenaEngine/test", registry.requests().getLast().userAgent());
    }

    @Test
    void itGoesOnFromTheByteWhereTheConnectionBroke() throws IOException {
        registry.next("" + DIGEST, registry.dropAfter(100_000), registry.dropAfter(300_000), registry.dropAfter(200_000));
        assertArrayEquals(CONTENT, readAndVerify());
        List<Optional<String>> ranges = registry.requests("" + DIGEST).stream().map(ScriptedRegistry.Request::range).toList();
        assertEquals(4, ranges.size());
        assertEquals(Optional.empty(), ranges.getFirst());
        assertTrue(ranges.stream().skip(1).allMatch(range -> range.orElse("").matches("bytes=[1-9]\\d+-")), ranges::toString);
        // The JDK's client may lose what was under way when it learns of the break; it is a buffer or two.
        assertTrue(registry.blobBytes() < CONTENT.length + 3 * 65_536, () -> registry.blobBytes() + " bytes");
        assertTrue(countdown.stream().allMatch(seconds -> seconds == 1));
    }

    @Test
    void aRegistryThatIgnoresRangesSendsTwiceWhatIsUsedOnce() throws IOException {
        registry.next("" + DIGEST, registry.dropAfter(100_000), ScriptedRegistry.ignoringRanges());
        assertArrayEquals(CONTENT, readAndVerify());
    }

    @Test
    void aSilentConnectionCountsAsBroken() throws IOException {
        CountDownLatch over = new CountDownLatch(1);
        registry.next("" + DIGEST, (exchange, content) -> {
            registry.send(exchange, content, 5_000);
            awaitQuietly(over);
        });
        assertArrayEquals(CONTENT, readAndVerify());
        over.countDown();
        assertEquals(Optional.of("bytes=5000-"), registry.requests("" + DIGEST).getLast().range());
    }

    @Test
    void serverErrorsAreTriedAgain() throws IOException {
        registry.next("" + DIGEST, ScriptedRegistry.status(500, ""), ScriptedRegistry.status(503, "busy"));
        assertArrayEquals(CONTENT, readAndVerify());
    }

    @Test
    void failuresWithoutProgressAreCounted() {
        registry.always("" + DIGEST, registry.dropAfter(0));
        assertThrows(DistributionException.Unavailable.class, this::readAndVerify);
        assertEquals(3, registry.requests("" + DIGEST).size());
    }

    @Test
    void progressStartsTheCountAnew() throws IOException {
        ScriptedRegistry.Answer drop = registry.dropAfter(10_000);
        registry.next("" + DIGEST, drop, drop, drop, drop, drop, drop, drop, drop);
        assertArrayEquals(CONTENT, readAndVerify());
    }

    @Test
    void refusalsAreNotTriedAgain() {
        for (int status : new int[] {400, 401, 403, 404}) {
            registry.next("" + DIGEST, ScriptedRegistry.status(status, ""));
            int before = registry.requests("" + DIGEST).size();
            RegistryFailure failure = assertThrows(RegistryFailure.class, this::readAndVerify);
            assertEquals(status, failure.status());
            assertEquals(before + 1, registry.requests("" + DIGEST).size());
        }
    }

    @Test
    void otherBytesAreRefusedAndNotTriedAgain() {
        byte[] other = CONTENT.clone();
        other[999_999] ^= 1;
        registry.next("" + DIGEST, ScriptedRegistry.bytes(other));
        assertEquals(
                "filesystem layer verification failed for digest " + DIGEST,
                assertThrows(DistributionException.InvalidContent.class, this::readAndVerify).getMessage());
        assertEquals(1, registry.requests("" + DIGEST).size());
    }

    @Test
    void aBlobOfAnotherSizeIsRefusedAtOnce() {
        registry.next("" + DIGEST, ScriptedRegistry.bytes(Arrays.copyOf(CONTENT, 999)));
        assertThrows(DistributionException.InvalidContent.class, this::readAndVerify);
        registry.next("" + DIGEST, ScriptedRegistry.bytes(Arrays.copyOf(CONTENT, CONTENT.length + 1)));
        assertThrows(DistributionException.InvalidContent.class, this::readAndVerify);
        assertEquals(2, registry.requests("" + DIGEST).size());
    }

    @Test
    void anEndlessBlobIsCutAtItsSize() {
        registry.next("" + DIGEST, (exchange, _) -> {
            exchange.sendResponseHeaders(200, 0);
            for (int i = 0; i < 10_000; i++) exchange.getResponseBody().write(CONTENT);
        });
        assertThrows(DistributionException.InvalidContent.class, this::readAndVerify);
    }

    @Test
    void cancellingEndsAReadFromAnotherThread() throws Exception {
        CountDownLatch reading = new CountDownLatch(1);
        CountDownLatch over = new CountDownLatch(1);
        registry.next("" + DIGEST, (exchange, content) -> {
            registry.send(exchange, content, 5_000);
            reading.countDown();
            awaitQuietly(over);
        });
        FutureTask<InterruptedIOException> reader = new FutureTask<>(() -> assertThrows(InterruptedIOException.class, this::readAndVerify));
        Thread.ofVirtual().start(reader);
        reading.await();
        cancellation.cancel();
        reader.get();
        over.countDown();
    }

    @Test
    void cancellingEndsABackOff() throws Exception {
        RetryPolicy patient = new RetryPolicy(3, Duration.ofHours(1), Duration.ofHours(1));
        registry.always("" + DIGEST, registry.dropAfter(0));
        BlobStream stream = new BlobStream(repository, descriptor(), patient, cancellation, new BlobStream.Watcher() {
            @Override
            public void reached(long bytes) {}

            @Override
            public void retryingIn(int seconds) {
                cancellation.cancel();
            }
        });
        assertThrows(InterruptedIOException.class, stream::readAllBytes);
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private byte[] readAndVerify() throws IOException {
        try (BlobStream stream = new BlobStream(repository, descriptor(), RETRIES, cancellation, new BlobStream.Watcher() {
            @Override
            public void reached(long bytes) {}

            @Override
            public void retryingIn(int seconds) {
                countdown.add(seconds);
            }
        })) {
            byte[] content = stream.readAllBytes();
            stream.verify();
            return content;
        }
    }

    private static Descriptor descriptor() {
        return new Descriptor("", DIGEST, CONTENT.length);
    }
}
