package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
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

/// Several clients push at once, and some of them leave.
@Timeout(60)
class SharedPushIT {
    private static final int LAYERS = 7;

    @TempDir
    Path root;

    private final TestImage image = TestImage.ofLayers(LAYERS, Compression.GZIP);
    private final CountDownLatch gate = new CountDownLatch(1);
    private ScriptedRegistry registry;
    private Engine engine;
    private ImageId id;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root);
        try (ScriptedRegistry source = new ScriptedRegistry()) {
            image.publish(source, "made", "1", Manifest.OCI_MANIFEST);
            id = engine.pull(source.host() + "/made:1");
        }
        registry = new ScriptedRegistry();
        for (String tag : new String[] {"1", "2"}) engine.images.tag(id, ImageReference.parse(registry.host() + "/app:" + tag));
    }

    @AfterEach
    void close() throws IOException {
        gate.countDown();
        if (registry != null) registry.close();
        if (engine != null) engine.close();
    }

    @Test
    void eachLayerIsSentOnce() throws Exception {
        holdAtTheGate(LAYERS);
        Client first = new Client("1");
        first.awaitLines(": Pushing ", 5);
        Client second = new Client("2");
        second.awaitLines(": Preparing", LAYERS);
        second.awaitLines(": Waiting", 2);
        gate.countDown();
        first.pushed();
        second.pushed();
        assertEquals(LAYERS, first.messages.count(": Pushed"));
        assertEquals(LAYERS, second.messages.count(": Pushed"));
        assertEquals(LAYERS, layersSent());
    }

    @Test
    void noMoreThanFiveAreSentAtOnce() throws Exception {
        holdAtTheGate(LAYERS);
        Client client = new Client("1");
        client.awaitLines(": Waiting", LAYERS - 5);
        client.awaitLines(": Pushing ", 5);
        // "Pushing" is said when a request leaves, a moment before the registry has it.
        client.await(() -> registry.requestsOf("PATCH").size() >= 5);
        assertEquals(5, registry.requestsOf("PATCH").size());
        gate.countDown();
        client.pushed();
    }

    @Test
    void theOneWhoLeavesDoesNotTakeTheLayersAlong() throws Exception {
        holdAtTheGate(LAYERS);
        Client leaving = new Client("1");
        leaving.awaitLines(": Pushing ", 5);
        Client staying = new Client("2");
        staying.awaitLines(": Preparing", LAYERS);
        staying.awaitLines(": Waiting", 2);
        leaving.leave();
        assertInstanceOf(InterruptedIOException.class, assertThrows(ExecutionException.class, leaving::pushed).getCause());
        gate.countDown();
        staying.pushed();
        assertEquals(LAYERS, staying.messages.count(": Pushed"));
        assertEquals(LAYERS, layersSent());
    }

    @Test
    void whenTheLastOneLeavesEverythingStops() throws Exception {
        holdAtTheGate(LAYERS);
        Client client = new Client("1");
        client.awaitLines(": Pushing ", 5);
        client.leave();
        assertThrows(ExecutionException.class, client::pushed);
        assertTrue(registry.manifest("app", "1").isEmpty());
        engine.images.remove("" + id, true, true, _ -> java.util.List.of());
        engine.assertEmpty();
        assertTrue(threads("(push|packing)-.*").isEmpty(), "threads of the push");
        // They were told to end, and have nothing to do.
        for (Thread worker : threads("deflating")) worker.join();
        assertTrue(threads("deflating").isEmpty(), "threads that deflate");
    }

    private static java.util.List<Thread> threads(String name) {
        return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().matches(name)).toList();
    }

    private long layersSent() {
        return registry.requestsOf("PUT").stream().filter(put -> put.path().contains("digest=") && !put.path().endsWith("" + id)).count();
    }

    /// Lets the beginning of each layer through, the rest only when the gate opens.
    private void holdAtTheGate(int layers) {
        for (int i = 0; i < layers; i++) {
            registry.nextOf("PATCH", (exchange, _) -> {
                byte[] start = exchange.getRequestBody().readNBytes(100);
                try {
                    gate.await();
                } catch (InterruptedException e) {
                    return;
                }
                byte[] rest = exchange.getRequestBody().readAllBytes();
                byte[] whole = java.util.Arrays.copyOf(start, start.length + rest.length);
                System.arraycopy(rest, 0, whole, start.length, rest.length);
                registry.uploads().take(exchange, whole);
            });
        }
    }

    private final class Client {
        private final Engine.Messages messages = new Engine.Messages();
        private final FutureTask<Void> result;
        private final Thread thread;

        Client(String tag) {
            this(tag, new Credentials.Anonymous());
        }

        Client(String tag, Credentials credentials) {
            result = new FutureTask<>(() -> {
                engine.pusher.push(ImageReference.parse(registry.host() + "/app:" + tag), credentials, messages);
                return null;
            });
            thread = Thread.ofVirtual().start(result);
        }

        void pushed() throws Exception {
            result.get();
        }

        void leave() {
            thread.interrupt();
        }

        void awaitLines(String text, long times) {
            await(() -> messages.count(text) >= times);
        }

        void await(BooleanSupplier happened) {
            while (!happened.getAsBoolean()) {
                assertTrue(!result.isDone(), () -> "ended early: " + messages.lines());
                LockSupport.parkNanos(1_000_000);
            }
        }
    }
}
