package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// The process is killed, as by `kill -9`, wherever it happens to be. What it acknowledged is there; the rest is gone.
class KilledIT {
    private static final int KILLS = 10;

    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private final Set<String> layers = new HashSet<>();
    private final Set<String> containers = new HashSet<>();
    /// Being removed when it was killed: may be there or not.
    private String doubtful = "";

    @Test
    void whatWasAcknowledgedIsThereAndNothingElse() throws Exception {
        var random = new Random(42);
        for (int kill = 0; kill < KILLS; kill++) {
            workUntilKilled(kill, 10 + random.nextInt(120));
            check();
        }
        assertTrue(!layers.isEmpty() && !containers.isEmpty(), "the workload did something");
    }

    private void workUntilKilled(int seed, int lines) throws Exception {
        Process process = new ProcessBuilder(ProcessHandle.current().info().command().orElseThrow(), "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                StoreWorkload.class.getName(), root().toString(), Integer.toString(seed))
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (BufferedReader out = process.inputReader()) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                note(line);
                if (--lines == 0) process.toHandle().destroyForcibly(); // what it still said before it died counts, too
            }
        }
        assertEquals(137, process.waitFor(), "killed, not ended by itself");
    }

    private void note(String line) {
        String[] words = line.split(" ");
        switch (words[0]) {
            case "layer" -> layers.add(words[1]);
            case "container" -> containers.add(words[1]);
            case "gone" -> {
                layers.remove(words[1]);
                containers.remove(words[1]);
                doubtful = words[1];
            }
            default -> {}
        }
    }

    private void check() throws IOException {
        try (var store = LayerStore.open(root())) {
            for (String layer : layers) {
                try (var tar = store.openTar(ChainId.parse(layer))) {
                    tar.readAllBytes(); // which checks each file
                }
            }
            for (String container : containers) store.containerLayer(container).orElseThrow().mount();
            assertEquals(accounted(), Files.list(root().resolve("overlay2")).filter(p -> !p.endsWith("l")).count(), "folders in overlay2");
            assertEquals(accounted(), Files.list(root().resolve("overlay2/l")).count(), "short names");
            assertEquals(0, Files.list(root().resolve("image/overlay2/layerdb/tmp")).count(), "unfinished");
            assertTrue(!Files.exists(root().resolve("quarantine")), "everything was explained");
        }
    }

    /// Unacknowledged but complete is allowed: it was killed between the deed and the word.
    private long accounted() throws IOException {
        long committed = Files.list(root().resolve("image/overlay2/layerdb/sha256")).count();
        long mounts = Files.list(root().resolve("image/overlay2/layerdb/mounts")).count();
        long extraLayers = committed - layers.size();
        long extraContainers = mounts - containers.size();
        assertTrue(extraLayers >= 0 && extraContainers >= 0, "nothing acknowledged is missing, besides " + doubtful);
        return committed + 2 * mounts;
    }

    private Path root() {
        return scratch.path().resolve("root");
    }
}
