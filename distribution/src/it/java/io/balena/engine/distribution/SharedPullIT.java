package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Several clients pull at once, and some of them leave.
@Timeout(60)
class SharedPullIT {
    @TempDir
    Path root;

    private final TestImage image = TestImage.ofLayers(5, Compression.GZIP);
    private final CountDownLatch gate = new CountDownLatch(1);
    private ScriptedRegistry registry;
    private Engine engine;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root);
        registry = new ScriptedRegistry();
        image.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
    }

    @AfterEach
    void close() throws IOException {
        gate.countDown();
        if (registry != null) registry.close();
        if (engine != null) engine.close();
    }

    @Test
    void eachLayerIsFetchedOnce() throws Exception {
        holdAtTheGate(0);
        Client first = new Client();
        Client second = new Client();
        first.awaitJoined();
        second.awaitJoined();
        gate.countDown();
        assertEquals(image.id(), first.pulled());
        assertEquals(image.id(), second.pulled());
        for (int i = 0; i < 5; i++) assertEquals(1, registry.requests("" + image.blob(i)).size());
        assertEquals(5, first.messages.count("Pull complete"));
        assertEquals(5, second.messages.count("Pull complete"));
    }

    @Test
    void theOneWhoLeavesDoesNotTakeTheLayersAlong() throws Exception {
        holdAtTheGate(0);
        Client leaving = new Client();
        leaving.awaitJoined();
        Client staying = new Client();
        staying.awaitJoined();
        leaving.leave();
        assertInstanceOf(InterruptedIOException.class, assertThrows(ExecutionException.class, leaving::pulled).getCause());
        gate.countDown();
        assertEquals(image.id(), staying.pulled());
        for (int i = 0; i < 5; i++) assertEquals(1, registry.requests("" + image.blob(i)).size());
    }

    @Test
    void whenTheLastOneLeavesEverythingStops() throws Exception {
        holdAtTheGate(0);
        holdAtTheGate(3);
        Client first = new Client();
        Client second = new Client();
        first.awaitJoined();
        second.awaitJoined();
        first.leave();
        second.leave();
        assertThrows(ExecutionException.class, first::pulled);
        assertThrows(ExecutionException.class, second::pulled);
        engine.assertNothingIsUsed();
        gate.countDown();
        assertEquals(image.id(), new Client().pulled());
    }

    @Test
    void aClientWhoseMessagesFailDoesNotHarmTheOthers() throws Exception {
        holdAtTheGate(0);
        FutureTask<ImageId> broken = new FutureTask<>(() -> engine.pull(registry.host() + "/app:1", new Progress() {
            @Override
            public void status(String id, String status) {
                if (status.equals("Pull complete")) throw new IllegalStateException("connection lost");
            }

            @Override
            public void advance(String id, String status, long current, long total) {
                throw new IllegalStateException("connection lost");
            }
        }));
        Thread.ofVirtual().start(broken);
        Client good = new Client();
        good.awaitJoined();
        gate.countDown();
        assertEquals(image.id(), good.pulled());
        assertEquals(image.id(), broken.get());
        assertEquals(5, good.messages.count("Pull complete"));
    }

    @Test
    void imagesWithACommonBaseShareItWhileOneOfThemFails() throws Exception {
        TestImage other = TestImage.ofLayers(5, Compression.GZIP).add(Map.of("x", new byte[1]), Compression.GZIP);
        other.publish(registry, "app", "other", Manifest.OCI_MANIFEST);
        registry.always("" + other.blob(5), ScriptedRegistry.status(404, ""));
        holdAtTheGate(0);
        Client good = new Client();
        Client bad = new Client("other");
        good.awaitJoined();
        assertInstanceOf(DistributionException.NotInRegistry.class, assertThrows(ExecutionException.class, bad::pulled).getCause());
        gate.countDown();
        assertEquals(image.id(), good.pulled());
        assertEquals(5, engine.namesIn("image/overlay2/layerdb/sha256").size());
    }

    @Test
    void manyPullsAndRemovalsLeaveNothingBehind() throws Exception {
        gate.countDown();
        List<Client> clients = new ArrayList<>();
        for (int round = 0; round < 6; round++) {
            Client client = new Client();
            clients.add(client);
            if (round % 2 == 0) client.leave();
            else clients.add(new Client(() -> removeQuietly()));
        }
        for (Client client : clients) {
            try {
                client.pulled();
            } catch (ExecutionException e) {
                assertInstanceOf(InterruptedIOException.class, e.getCause());
            }
        }
        removeQuietly();
        engine.assertNothingIsUsed();
    }

    private ImageId removeQuietly() throws IOException {
        try {
            engine.images.remove(registry.host() + "/app:1", true, true, _ -> List.of());
        } catch (DistributionException.NoSuchImage e) {
            // Another one was quicker, or it was not there yet.
        }
        return image.id();
    }

    /// Lets the beginning of a layer through, the rest only when the gate opens.
    private void holdAtTheGate(int layer) {
        registry.next("" + image.blob(layer), (exchange, content) -> {
            exchange.sendResponseHeaders(200, content.bytes().length);
            exchange.getResponseBody().write(content.bytes(), 0, 1000);
            exchange.getResponseBody().flush();
            try {
                gate.await();
            } catch (InterruptedException e) {
                return;
            }
            exchange.getResponseBody().write(content.bytes(), 1000, content.bytes().length - 1000);
        });
    }

    private interface Work {
        ImageId run() throws IOException;
    }

    private final class Client {
        private final Engine.Messages messages = new Engine.Messages();
        private final FutureTask<ImageId> result;
        private final Thread thread;

        Client() {
            this("1");
        }

        Client(String tag) {
            result = new FutureTask<>(() -> engine.pull(registry.host() + "/app:" + tag, messages));
            thread = Thread.ofVirtual().start(result);
        }

        Client(Work work) {
            result = new FutureTask<>(work::run);
            thread = Thread.ofVirtual().start(result);
        }

        ImageId pulled() throws Exception {
            return result.get();
        }

        void leave() {
            thread.interrupt();
        }

        /// Until it wants all of its layers: they are announced before, and it waits for them after.
        void awaitJoined() {
            await(() -> Arrays.stream(thread.getStackTrace()).anyMatch(frame -> frame.getClassName().equals(Together.class.getName())));
        }

        void awaitLine(String text, long times) {
            await(() -> messages.count(text) >= times);
        }

        private void await(BooleanSupplier condition) {
            while (!condition.getAsBoolean()) {
                assertTrue(!result.isDone(), () -> "ended early: " + messages.lines());
                LockSupport.parkNanos(1_000_000);
            }
        }
    }
}
