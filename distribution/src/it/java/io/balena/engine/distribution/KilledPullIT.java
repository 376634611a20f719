package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.ChainId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The daemon is killed in the middle of a pull.
@Timeout(90)
class KilledPullIT {
    @TempDir
    Path folder;

    private final TestImage image = TestImage.ofLayers(5, Compression.GZIP);
    private final CountDownLatch gate = new CountDownLatch(1);
    private ScriptedRegistry registry;

    @BeforeEach
    void start() throws IOException {
        registry = new ScriptedRegistry();
        image.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
    }

    @AfterEach
    void stop() {
        gate.countDown();
        registry.close();
    }

    @Test
    void finishedLayersAreKeptAndTheRestIsFetchedByTheNextPull() throws Exception {
        Path root = folder.resolve("root");
        Engine.open(root).close();
        registry.next("" + image.blob(2), (exchange, content) -> {
            exchange.sendResponseHeaders(200, content.bytes().length);
            exchange.getResponseBody().write(content.bytes(), 0, 9_000);
            exchange.getResponseBody().flush();
            try {
                gate.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        Process child = pullInChild(root);
        List<ChainId> finished = List.of(chain(1), chain(2));
        while (!finished.stream().allMatch(chain -> Files.exists(root.resolve("image/overlay2/layerdb/sha256/" + chain.digest().hex())))) {
            assertTrue(child.isAlive(), () -> output());
            LockSupport.parkNanos(5_000_000);
        }
        child.destroyForcibly();
        child.onExit().join();

        try (Engine engine = Engine.open(root)) {
            assertEquals(List.of(), engine.images.list());
            assertEquals(List.of(), engine.namesIn("image/overlay2/layerdb/tmp"));
            assertEquals(2, engine.namesIn("image/overlay2/layerdb/sha256").size());
            assertEquals(3, engine.namesIn("overlay2").size());
            Engine.Messages messages = new Engine.Messages();
            assertEquals(image.id(), engine.pull(registry.host() + "/app:1", messages));
            assertEquals(2, messages.count("Already exists"));
            assertEquals(1, registry.requests("" + image.blob(0)).size());
            engine.images.remove(registry.host() + "/app:1", false, true, _ -> List.of());
            engine.assertEmpty();
        }
    }

    @Test
    void killedAtAnyMomentTheStoreIsWhole() throws Exception {
        for (int round = 0; round < 6; round++) {
            Path root = folder.resolve("root-" + round);
            Engine.open(root).close();
            Process child = pullInChild(root);
            int steps = round;
            awaitLines(child, steps * 3);
            child.destroyForcibly();
            child.onExit().join();
            try (Engine engine = Engine.open(root)) {
                for (Image found : engine.images.list()) {
                    assertEquals(image.id(), found.id());
                    assertEquals(100_000, found.size());
                }
                assertEquals(List.of(), engine.namesIn("image/overlay2/layerdb/tmp"));
                assertEquals(engine.namesIn("image/overlay2/layerdb/sha256").size() + 1, engine.namesIn("overlay2").size());
                assertEquals(image.id(), engine.pull(registry.host() + "/app:1"));
                assertEquals(5, engine.namesIn("image/overlay2/layerdb/sha256").size());
            }
        }
    }

    private ChainId chain(int layers) {
        return ChainId.of(image.layers().subList(0, layers).stream().map(TestImage.LayerOfTest::diffId).toList()).orElseThrow();
    }

    private Process pullInChild(Path root) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(), "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
                Child.class.getName(), root.toString(), registry.host() + "/app:1"));
        return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(folder.resolve("child.log").toFile()).start();
    }

    private void awaitLines(Process child, int count) throws IOException {
        while (child.isAlive() && output().lines().count() < count) LockSupport.parkNanos(2_000_000);
    }

    private String output() {
        try {
            return Files.readString(folder.resolve("child.log"));
        } catch (IOException e) {
            return e.toString();
        }
    }

    /// The one that is killed. Says every message on a line of its own.
    static final class Child {
        public static void main(String[] arguments) throws IOException {
            Engine engine = Engine.open(Path.of(arguments[0]));
            engine.pull(arguments[1], new Progress() {
                @Override
                public void status(String id, String status) {
                    System.out.println(id + ": " + status);
                }

                @Override
                public void advance(String id, String status, long current, long total) {
                    System.out.println(id + ": " + status);
                }
            });
        }
    }
}
