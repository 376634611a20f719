package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/// The stores of one data root and a puller on them, as the daemon puts them together.
final class Engine implements AutoCloseable {
    final Path root;
    final LayerStore layers;
    final Images images;
    final DeltaBases bases;
    final ImagePuller puller;
    final ImagePusher pusher;

    private Engine(Path root, LayerStore layers, Images images, DeltaBases bases, ImagePuller puller, ImagePusher pusher) {
        this.root = root;
        this.layers = layers;
        this.images = images;
        this.bases = bases;
        this.puller = puller;
        this.pusher = pusher;
    }

    static Engine open(Path root) throws IOException {
        return open(root, Duration.ofMillis(5));
    }

    static Engine open(Path root, Duration firstBackOff) throws IOException {
        return open(root, firstBackOff, RegistryEndpoints.plain(InsecureRegistries.onLoopback()));
    }

    static Engine open(Path root, Duration firstBackOff, RegistryEndpoints endpoints) throws IOException {
        return open(root, firstBackOff, endpoints, Duration.ofSeconds(5));
    }

    static Engine open(Path root, Duration firstBackOff, RegistryEndpoints endpoints, Duration idleTimeout) throws IOException {
        return open(root, Optional.empty(), firstBackOff, endpoints, idleTimeout);
    }

    /// With a second data root for the bases of deltas.
    static Engine open(Path root, Path otherRoot) throws IOException {
        return open(root, Optional.of(otherRoot), Duration.ofMillis(5), RegistryEndpoints.plain(InsecureRegistries.onLoopback()), Duration.ofSeconds(5));
    }

    private static Engine open(Path root, Optional<Path> otherRoot, Duration firstBackOff, RegistryEndpoints endpoints, Duration idleTimeout)
            throws IOException {
        Assumptions.assumeTrue("root".equals(System.getProperty("user.name")), "layers can be extracted only by root");
        LayerStore layers = LayerStore.open(root);
        Images images = Images.open(root, layers);
        RegistryConfig config = new RegistryConfig(
                "balenaEngine/test", endpoints, new RegistryConfig.Transfers(3, 3), new RegistryConfig.Transfers(5, 3), idleTimeout);
        RetryPolicy retries = new RetryPolicy(3, firstBackOff, firstBackOff.multipliedBy(4));
        var bases = new DeltaBases(images, layers, otherRoot);
        return new Engine(root, layers, images, bases, new ImagePuller(layers, images, bases, config, retries),
                new ImagePusher(layers, images, config, retries));
    }

    ImageLoader loader() {
        return new ImageLoader(layers, images, bases);
    }

    ImageId pull(String name) throws IOException {
        return pull(name, new Messages());
    }

    ImageId pull(String name, Progress progress) throws IOException {
        return puller.pull(ImageReference.parse(name), Optional.empty(), new Credentials.Anonymous(), progress);
    }

    void push(String name, Progress progress) throws IOException {
        pusher.push(ImageReference.parse(name), new Credentials.Anonymous(), progress);
    }

    Path fileOf(ImageId id, int layer, String name) {
        Image image = images.find(id).orElseThrow();
        var chain = io.balena.engine.graphdriver.ChainId.of(image.diffIds().subList(0, layer + 1)).orElseThrow();
        return Path.of(layers.driverData(chain).get("UpperDir")).resolve(name);
    }

    /// No image, no name, no layer, and nothing that was to become one.
    void assertEmpty() throws IOException {
        assertEquals(List.of(), images.list());
        assertEquals(List.of(), namesIn("image/overlay2/imagedb/content/sha256"));
        assertEquals(List.of(), namesIn("image/overlay2/layerdb/sha256"));
        assertEquals(List.of(), namesIn("image/overlay2/layerdb/tmp"));
        assertEquals(List.of("l"), namesIn("overlay2"));
        assertEquals(List.of(), namesIn("overlay2/l"));
        Path names = root.resolve("image/overlay2/repositories.json");
        if (Files.exists(names)) assertEquals("{\"Repositories\":{}}", Files.readString(names));
    }

    /// Only finished layers for the next pull are there, and nobody holds on to them.
    void assertNothingIsUsed() throws IOException {
        images.removeUnusedLayers();
        assertEmpty();
    }

    List<String> namesIn(String folder) throws IOException {
        try (Stream<Path> files = Files.list(root.resolve(folder))) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Override
    public void close() throws IOException {
        layers.close();
    }

    /// What a client would have seen.
    static class Messages implements Progress {
        private final List<String> lines = new CopyOnWriteArrayList<>();

        @Override
        public void status(String id, String status) {
            lines.add(id.isEmpty() ? status : id + ": " + status);
        }

        @Override
        public void advance(String id, String status, long current, long total) {
            lines.add(id + ": " + status + " " + current + "/" + total);
        }

        @Override
        public void pushed(String tag, Digest manifest, int size) {
            lines.add("aux: " + tag + " " + manifest + " " + size);
        }

        List<String> lines() {
            return List.copyOf(lines);
        }

        long count(String text) {
            return lines.stream().filter(line -> line.contains(text)).count();
        }
    }
}
