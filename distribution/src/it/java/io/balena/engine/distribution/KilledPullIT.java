package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
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
import java.util.stream.IntStream;
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
        stopAfterTheBeginningOf(2);
        Process child = pullInChild(root);
        // The third stays unfinished, which keeps nobody from finishing those above it.
        awaitUntil(child, () -> isThere(root, chain(1)) && isThere(root, chain(2)) && finishedIn(root) == 2);
        child.destroyForcibly();
        child.onExit().join();

        try (Engine engine = Engine.open(root)) {
            assertEquals(List.of(), engine.images.list());
            assertEquals(2, engine.namesIn("image/overlay2/layerdb/sha256").size());
            assertEquals(2, engine.namesIn("image/overlay2/layerdb/tmp").size());
            assertEquals(5, engine.namesIn("overlay2").size());
            Engine.Messages messages = new Engine.Messages();
            assertEquals(image.id(), engine.pull(registry.host() + "/app:1", messages));
            assertEquals(2, messages.count("Already exists"));
            assertEquals(List.of(1, 1, 2, 1, 1), requestsPerLayer());
            assertEveryFileIsThere(engine);
            engine.images.remove(registry.host() + "/app:1", false, true, _ -> List.of());
            engine.assertEmpty();
        }
    }

    @Test
    void layersAboveAnUnfinishedFirstOneAreKept() throws Exception {
        Path root = folder.resolve("root");
        Engine.open(root).close();
        stopAfterTheBeginningOf(0);
        Process child = pullInChild(root);
        awaitUntil(child, () -> finishedIn(root) == 4);
        child.destroyForcibly();
        child.onExit().join();
        try (Engine engine = Engine.open(root)) {
            assertEquals(image.id(), engine.pull(registry.host() + "/app:1"));
            assertEquals(List.of(2, 1, 1, 1, 1), requestsPerLayer());
            assertEquals(List.of(), engine.namesIn("image/overlay2/layerdb/tmp"));
            assertEveryFileIsThere(engine);
        }
    }

    private List<Integer> requestsPerLayer() {
        return IntStream.range(0, 5).mapToObj(layer -> registry.requests("" + image.blob(layer)).size()).toList();
    }

    private void assertEveryFileIsThere(Engine engine) throws IOException {
        for (int layer = 0; layer < 5; layer++) {
            assertArrayEquals(TestImage.noise(20_000, layer), Files.readAllBytes(engine.fileOf(image.id(), layer, "file-" + layer)));
            try (var tar = engine.layers.openTar(chain(layer + 1))) {
                assertArrayEquals(image.layers().get(layer).tar(), tar.readAllBytes());
            }
        }
    }

    private static boolean isThere(Path root, ChainId chain) {
        return Files.exists(root.resolve("image/overlay2/layerdb/sha256/" + chain.digest().hex()));
    }

    private static long finishedIn(Path root) throws IOException {
        try (var folders = Files.list(root.resolve("image/overlay2/layerdb/tmp"))) {
            return folders.filter(folder -> folder.getFileName().toString().startsWith("finished-")).count();
        }
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    private void awaitUntil(Process child, Condition condition) throws IOException {
        while (!condition.holds()) {
            assertTrue(child.isAlive(), () -> output());
            LockSupport.parkNanos(5_000_000);
        }
    }

    private void stopAfterTheBeginningOf(int layer) {
        registry.next("" + image.blob(layer), (exchange, content) -> {
            exchange.sendResponseHeaders(200, content.bytes().length);
            exchange.getResponseBody().write(content.bytes(), 0, 9_000);
            exchange.getResponseBody().flush();
            try {
                gate.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
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
                int layers = engine.namesIn("image/overlay2/layerdb/sha256").size() + engine.namesIn("image/overlay2/layerdb/tmp").size();
                assertEquals(layers + 1, engine.namesIn("overlay2").size());
                assertEquals(image.id(), engine.pull(registry.host() + "/app:1"));
                assertEquals(5, engine.namesIn("image/overlay2/layerdb/sha256").size());
                assertEquals(List.of(), engine.namesIn("image/overlay2/layerdb/tmp"));
            }
        }
    }

    @Test
    void killedWhileADeltaIsAppliedTheBaseIsWholeAndTheNextPullGoesOn() throws Exception {
        var pair = new DeltaPair(Compression.GZIP);
        Path builderRoot = Files.createDirectory(folder.resolve("builder"));
        try (Engine builder = Engine.open(builderRoot)) {
            pair.loadBase(builder);
            pair.loadTarget(builder);
            String name = registry.host() + "/app:1";
            pair.create(builder, name, new Engine.Messages());
            builder.push(name, new Engine.Messages());
        }
        for (int round = 0; round < 3; round++) {
            Path root = folder.resolve("root-" + round);
            try (Engine engine = Engine.open(root)) {
                pair.loadBase(engine);
            }
            Process child = pullInChild(root);
            awaitLines(child, 2 + round * 2);
            child.destroyForcibly();
            child.onExit().join();
            try (Engine engine = Engine.open(root)) {
                try (DeltaBase base = engine.bases.open(engine.images.find(pair.base.id()).orElseThrow())) {
                    base.verify();
                }
                assertEquals(pair.target.id(), engine.pull(registry.host() + "/app:1"));
                pair.assertTargetIsThere(engine, registry.host() + "/app:1");
                assertEquals(List.of(), engine.namesIn("image/overlay2/layerdb/tmp"));
                assertEquals(4 + 3 + 1, engine.namesIn("overlay2").size());
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
