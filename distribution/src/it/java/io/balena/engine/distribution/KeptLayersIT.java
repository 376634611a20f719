package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Layers that a failed pull had finished: how they serve the next one, and when they go.
@Timeout(120)
class KeptLayersIT {
    @TempDir
    Path folder;

    private final TestImage image = TestImage.ofLayers(5, Compression.GZIP);
    private ScriptedRegistry registry;

    @BeforeEach
    void start() throws IOException {
        registry = new ScriptedRegistry();
        image.publish(registry, "app", "1", Manifest.OCI_MANIFEST);
    }

    @AfterEach
    void stop() {
        registry.close();
    }

    @Test
    void theNextPullFetchesOnlyWhatIsMissing() throws Exception {
        try (Engine engine = open("root")) {
            failAt(engine, 2);
            int unfinished = requests(2);
            assertEquals(image.id(), engine.pull(name()));
            assertEquals(List.of(1, 1, unfinished + 1, 1, 1), IntStream.range(0, 5).mapToObj(this::requests).toList());
            assertEquals(5, engine.namesIn("image/overlay2/layerdb/sha256").size());
            assertEquals(List.of(), engine.namesIn("image/overlay2/layerdb/tmp"));
            engine.images.remove(name(), false, true, _ -> List.of());
            engine.assertEmpty();
        }
    }

    @Test
    void theyOutliveTheEngine() throws Exception {
        try (Engine engine = open("root")) {
            failAt(engine, 0);
        }
        int unfinished = requests(0);
        try (Engine engine = open("root")) {
            assertEquals(4, engine.namesIn("image/overlay2/layerdb/tmp").size());
            assertEquals(image.id(), engine.pull(name()));
            assertEquals(List.of(unfinished + 1, 1, 1, 1, 1), IntStream.range(0, 5).mapToObj(this::requests).toList());
        }
    }

    @Test
    void anotherImageOnTheSameLayersTakesThem() throws Exception {
        TestImage other = TestImage.ofLayers(5, Compression.GZIP).add(Map.of("x", new byte[1]), Compression.GZIP);
        other.publish(registry, "other", "1", Manifest.OCI_MANIFEST);
        try (Engine engine = open("root")) {
            failAt(engine, 1);
            assertEquals(other.id(), engine.pull(registry.host() + "/other:1"));
            for (int layer : List.of(0, 2, 3, 4)) assertEquals(1, requests(layer));
            engine.images.remove(registry.host() + "/other:1", false, true, _ -> List.of());
            engine.assertEmpty();
        }
    }

    @Test
    void pruningRemovesThem() throws Exception {
        try (Engine engine = open("root")) {
            failAt(engine, 2);
            assertEquals(4 * 20_000, engine.images.removeUnusedLayers());
            engine.assertEmpty();
        }
    }

    @Test
    void theyGoAfterAWeekWhenTheNextPullEnds() throws Exception {
        TestImage other = TestImage.empty().add(Map.of("other", new byte[1]), Compression.GZIP);
        other.publish(registry, "other", "1", Manifest.OCI_MANIFEST);
        try (Engine engine = open("root")) {
            failAt(engine, 2);
            engine.pull(registry.host() + "/other:1");
            assertEquals(3, engine.namesIn("image/overlay2/layerdb/sha256").size());
            age(engine, Duration.ofDays(8));
            engine.images.remove(registry.host() + "/other:1", false, true, _ -> List.of());
            engine.assertEmpty();
        }
    }

    @Test
    void noneIsRemovedThatARunningPullCountsOn() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        try (Engine engine = open("root")) {
            failAt(engine, 0);
            age(engine, Duration.ofDays(8));
            registry.next("" + image.blob(0), (exchange, content) -> {
                try {
                    gate.await(60, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                registry.send(exchange, content, Integer.MAX_VALUE);
            });
            Engine.Messages messages = new Engine.Messages();
            FutureTask<ImageId> pull = new FutureTask<>(() -> engine.pull(name(), messages));
            Thread.ofVirtual().start(pull);
            while (messages.count("Pulling fs layer") < 5) Thread.sleep(5);
            while (registry.requests("" + image.blob(0)).size() < 4) Thread.sleep(5);
            assertEquals(0, engine.images.removeUnusedLayers());
            gate.countDown();
            assertEquals(image.id(), pull.get());
            for (int layer = 1; layer < 5; layer++) assertEquals(1, requests(layer));
        } finally {
            gate.countDown();
        }
    }

    @Test
    void whatACancelledPullHasFinishedIsKept() throws Exception {
        try (Engine engine = open("root")) {
            CountDownLatch never = new CountDownLatch(1);
            registry.next("" + image.blob(0), (_, _) -> {
                try {
                    never.await(60, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            FutureTask<ImageId> pull = new FutureTask<>(() -> engine.pull(name()));
            Thread client = Thread.ofVirtual().start(pull);
            while (engine.namesIn("image/overlay2/layerdb/tmp").stream().filter(name -> name.startsWith("finished-")).count() < 4) Thread.sleep(5);
            client.interrupt();
            assertThrows(ExecutionException.class, pull::get);
            never.countDown();
            assertEquals(image.id(), engine.pull(name()));
            for (int layer = 1; layer < 5; layer++) assertEquals(1, requests(layer));
        }
    }

    @Test
    void onAFullDiskNothingIsKeptAndRoomMadeIsEnough() throws Exception {
        TestImage large = TestImage.ofLayers(2, Compression.GZIP);
        large.add(Map.of("large", TestImage.noise(40 << 20, 9)), Compression.GZIP);
        large.publish(registry, "large", "1", Manifest.OCI_MANIFEST);
        Path disk = disk();
        try (Engine engine = Engine.open(disk.resolve("root"))) {
            failAt(engine, 2);
            assertEquals(2, engine.namesIn("image/overlay2/layerdb/tmp").size());
            Exception full = assertThrows(IOException.class, () -> engine.pull(registry.host() + "/large:1"));
            assertTrue(full.getMessage().contains("No space left on device"), full.getMessage());
            engine.assertEmpty();
            assertEquals(image.id(), engine.pull(name()));
        } finally {
            run("umount", disk.toString());
        }
    }

    @Test
    void oneThatWasDamagedIsFetchedAgain() throws Exception {
        try (Engine engine = open("root")) {
            failAt(engine, 0);
        }
        Path tmp = folder.resolve("root/image/overlay2/layerdb/tmp");
        List<Path> kept;
        try (Stream<Path> folders = Files.list(tmp)) {
            kept = folders.sorted().toList();
        }
        Files.delete(kept.get(0).resolve("tar-split.json.gz"));
        Files.writeString(kept.get(1).resolve("diff"), "");
        Files.delete(kept.get(2).resolve("cache-id"));
        try (Engine engine = open("root")) {
            assertEquals(1, engine.namesIn("image/overlay2/layerdb/tmp").size());
            assertEquals(2, engine.namesIn("overlay2").size());
            assertEquals(image.id(), engine.pull(name()));
            assertEquals(100_000, engine.images.resolve(name()).size());
        }
    }

    private Engine open(String root) throws IOException {
        return Engine.open(folder.resolve(root));
    }

    private String name() {
        return registry.host() + "/app:1";
    }

    private int requests(int layer) {
        return registry.requests("" + image.blob(layer)).size();
    }

    /// A pull that fails at one layer when all others are finished.
    private void failAt(Engine engine, int layer) throws Exception {
        registry.next("" + image.blob(layer), (exchange, _) -> {
            try {
                while (finished(engine) < 4) Thread.sleep(5);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            ScriptedRegistry.status(500, "").give(exchange, null);
        }, ScriptedRegistry.status(500, ""), ScriptedRegistry.status(500, ""));
        assertThrows(DistributionException.Unavailable.class, () -> engine.pull(name()));
    }

    private static long finished(Engine engine) throws IOException {
        return engine.namesIn("image/overlay2/layerdb/sha256").size()
                + engine.namesIn("image/overlay2/layerdb/tmp").stream().filter(name -> name.startsWith("finished-")).count();
    }

    private static void age(Engine engine, Duration age) throws IOException {
        for (String part : List.of("image/overlay2/layerdb/sha256", "image/overlay2/layerdb/tmp")) {
            for (String layer : engine.namesIn(part)) {
                Files.setLastModifiedTime(engine.root.resolve(part).resolve(layer), FileTime.from(Instant.now().minus(age)));
            }
        }
    }

    private Path disk() throws Exception {
        Path disk = Files.createDirectory(folder.resolve("disk"));
        run("truncate", "-s", "32M", folder + "/disk.image");
        run("mkfs.ext4", "-q", "-m", "0", folder + "/disk.image");
        run("mount", "-o", "loop", folder + "/disk.image", disk.toString());
        return disk;
    }

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        assertEquals(0, process.waitFor(), output);
    }
}
