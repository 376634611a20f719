package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Pulls from the registry that Debian ships.
@Timeout(60)
class ImagePullIT {
    @TempDir
    static Path registryFolder;

    private static DebianRegistry registry;

    @TempDir
    Path root;

    private Engine engine;

    @BeforeAll
    static void startRegistry() throws IOException {
        registry = DebianRegistry.start(registryFolder);
    }

    @AfterAll
    static void stopRegistry() {
        if (registry != null) registry.close();
    }

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root);
    }

    @AfterEach
    void close() throws IOException {
        if (engine != null) engine.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {Manifest.SCHEMA2, Manifest.OCI_MANIFEST})
    void anImageOfSixLayersIsPulledByTag(String mediaType) throws IOException {
        TestImage image = TestImage.ofLayers(6, Compression.GZIP);
        image.publish(registry, "app", "1", mediaType);

        ImageId id = engine.pull(registry.host() + "/app:1");

        assertEquals(image.id(), id);
        assertArrayEquals(image.configJson(), Files.readAllBytes(root.resolve("image/overlay2/imagedb/content/sha256/" + id.digest().hex())));
        for (int i = 0; i < 6; i++) assertArrayEquals(TestImage.noise(20_000, i), Files.readAllBytes(engine.fileOf(id, i, "file-" + i)));
        assertEquals(120_000, engine.images.find(id).orElseThrow().size());
    }

    @ParameterizedTest
    @EnumSource(names = {"ZSTD", "NONE"})
    void layersMayBePackedOtherwise(Compression compression) throws IOException {
        TestImage image = TestImage.ofLayers(2, compression);
        image.publish(registry, "packed", compression.name().toLowerCase(), Manifest.OCI_MANIFEST);
        assertEquals(image.id(), engine.pull(registry.host() + "/packed:" + compression.name().toLowerCase()));
    }

    /// skopeo as an independent writer: OCI, zstd, an index around it.
    @Test
    void anImageThatSkopeoMadeIsPulled() throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/skopeo")), "skopeo is not installed");
        TestImage image = TestImage.ofLayers(3, Compression.GZIP);
        image.publish(registry, "skopeo", "1", Manifest.SCHEMA2);
        String name = registry.host() + "/skopeo";
        Process skopeo = new ProcessBuilder("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false",
                        "--format", "oci", "--dest-compress-format", "zstd", "--all", "docker://" + name + ":1", "docker://" + name + ":zstd")
                .redirectErrorStream(true).start();
        String output = new String(skopeo.getInputStream().readAllBytes(), UTF_8);
        assertEquals(0, skopeo.waitFor(), output);

        ImageId id = engine.pull(name + ":zstd");

        assertEquals(image.layers().stream().map(TestImage.LayerOfTest::diffId).toList(), engine.images.find(id).orElseThrow().diffIds());
        assertArrayEquals(TestImage.noise(20_000, 2), Files.readAllBytes(engine.fileOf(id, 2, "file-2")));
    }

    @Test
    void anImageIsPulledByDigest() throws IOException {
        TestImage image = TestImage.ofLayers(1, Compression.GZIP);
        Digest digest = image.publish(registry, "app", "by-digest", Manifest.SCHEMA2);
        String name = registry.host() + "/app@" + digest;
        assertEquals(image.id(), engine.pull(name));
        assertEquals(List.of(name), engine.images.references(image.id()).stream().map(ImageReference::familiar).toList());
    }

    @ParameterizedTest
    @ValueSource(strings = {Manifest.SCHEMA2_LIST, Manifest.OCI_INDEX})
    void theImageForThisPlatformIsTakenFromAnIndex(String mediaType) throws IOException {
        TestImage ours = TestImage.ofLayers(1, Compression.GZIP);
        TestImage other = TestImage.empty().add(Map.of("other", new byte[1]), Compression.GZIP);
        ObjectNode index = Json.MAPPER.createObjectNode().put("schemaVersion", 2).put("mediaType", mediaType);
        var entries = index.putArray("manifests");
        String manifestType = mediaType.equals(Manifest.OCI_INDEX) ? Manifest.OCI_MANIFEST : Manifest.SCHEMA2;
        for (TestImage image : List.of(other, ours)) {
            image.publish(registry, "multi", image == ours ? "ours" : "other", manifestType);
            ObjectNode entry = TestImage.descriptor(manifestType, image.manifest(manifestType).toString().getBytes(UTF_8));
            String architecture = image == ours ? Platform.ofThisMachine().architecture() : "s390x";
            entry.putObject("platform").put("os", "linux").put("architecture", architecture);
            entries.add(entry);
        }
        Digest digest = registry.putManifest("multi", "all", index.toString().getBytes(UTF_8), mediaType);
        String name = registry.host() + "/multi";

        assertEquals(ours.id(), engine.pull(name + ":all"));

        assertEquals(
                List.of(name + ":all", name + "@" + digest),
                engine.images.references(ours.id()).stream().map(ImageReference::familiar).toList());
        ImageId asked = engine.puller.pull(ImageReference.parse(name + ":all"), Optional.of("linux/s390x"), new Credentials.Anonymous(), new Engine.Messages());
        assertEquals(other.id(), asked);
        assertEquals(
                "no matching manifest for linux/riscv64 in the manifest list entries",
                assertThrows(DistributionException.NotInRegistry.class, () -> engine.puller.pull(
                        ImageReference.parse(name + ":all"), Optional.of("linux/riscv64"), new Credentials.Anonymous(), new Engine.Messages()))
                        .getMessage());
    }

    @Test
    void theMessagesAreThoseThatClientsKnow() throws IOException {
        TestImage image = TestImage.ofLayers(5, Compression.GZIP);
        Digest digest = image.publish(registry, "told", "1", Manifest.SCHEMA2);
        String name = registry.host() + "/told:1";
        Engine.Messages messages = new Engine.Messages();

        engine.pull(name, messages);

        List<String> lines = messages.lines();
        assertEquals("1: Pulling from told", lines.getFirst());
        long sum = 0;
        for (int i = 0; i < 5; i++) {
            String id = image.blob(i).shortHex();
            long size = image.layers().get(i).blob().length;
            sum += size;
            assertTrue(lines.contains(id + ": Pulling fs layer"));
            assertTrue(lines.contains(id + ": Extracting " + size + "/" + size));
            assertTrue(lines.indexOf(id + ": Extracting " + size + "/" + size) < lines.indexOf(id + ": Pull complete"));
            if (i > 0) assertTrue(lines.indexOf(image.blob(i - 1).shortHex() + ": Pull complete") < lines.indexOf(id + ": Pull complete"));
        }
        assertTrue(lines.contains("Total:  " + sum + "/" + sum));
        assertEquals(List.of("Digest: " + digest, "Status: Downloaded newer image for " + name), lines.subList(lines.size() - 2, lines.size()));

        Engine.Messages again = new Engine.Messages();
        engine.pull(name, again);
        assertEquals(List.of("1: Pulling from told", "Digest: " + digest, "Status: Image is up to date for " + name), again.lines());
    }

    @Test
    void layersThatAreThereAreNotFetchedAgain() throws IOException {
        TestImage base = TestImage.ofLayers(3, Compression.GZIP);
        base.publish(registry, "base", "1", Manifest.SCHEMA2);
        engine.pull(registry.host() + "/base:1");
        TestImage derived = TestImage.ofLayers(3, Compression.GZIP).add(Map.of("more", new byte[10]), Compression.GZIP);
        derived.publish(registry, "derived", "1", Manifest.SCHEMA2);
        Engine.Messages messages = new Engine.Messages();

        engine.pull(registry.host() + "/derived:1", messages);

        assertEquals(3, messages.count("Already exists"));
        assertEquals(1, messages.count("Pulling fs layer"));
        assertEquals(4, engine.namesIn("image/overlay2/layerdb/sha256").size());
    }

    @Test
    void aReopenedStoreKnowsImagesAndNames() throws IOException {
        TestImage image = TestImage.ofLayers(2, Compression.GZIP);
        Digest digest = image.publish(registry, "kept", "1", Manifest.SCHEMA2);
        engine.pull(registry.host() + "/kept:1");
        engine.close();

        engine = Engine.open(root);

        assertEquals(image.id(), engine.images.resolve(registry.host() + "/kept:1").id());
        assertEquals(image.id(), engine.images.resolve(registry.host() + "/kept@" + digest).id());
        assertEquals(image.id(), engine.images.resolve(image.id().digest().shortHex()).id());
        assertEquals(40_000, engine.images.resolve(image.id().toString()).size());
    }

    @Test
    void removingAnImageLeavesNothing() throws IOException {
        TestImage image = TestImage.ofLayers(3, Compression.GZIP);
        image.publish(registry, "gone", "1", Manifest.SCHEMA2);
        ImageId id = engine.pull(registry.host() + "/gone:1");
        List<Images.Removal> removed = engine.images.remove(registry.host() + "/gone:1", false, true, _ -> List.of());
        assertEquals(2 + 1 + 3, removed.size());
        assertEquals(new Images.Removal.Deleted(id.digest()), removed.get(2));
        engine.assertEmpty();
    }

    @Test
    void theCachesSayWhereALayerCameFrom() throws IOException {
        TestImage image = TestImage.ofLayers(1, Compression.GZIP);
        image.publish(registry, "cached", "1", Manifest.SCHEMA2);
        engine.pull(registry.host() + "/cached:1");
        String diffId = image.layers().getFirst().diffId().toString();
        Path caches = root.resolve("image/overlay2/distribution");
        assertEquals(diffId, Files.readString(caches.resolve("diffid-by-digest/sha256/" + image.blob(0).hex())));
        assertEquals(
                "[{\"Digest\":\"" + image.blob(0) + "\",\"SourceRepository\":\"" + registry.host() + "/cached\",\"HMAC\":\"\"}]",
                Files.readString(caches.resolve("v2metadata-by-diffid/sha256/" + diffId.substring("sha256:".length()))));
    }

    @Test
    void whatTheRegistryDoesNotHaveIsNotThere() throws IOException {
        String name = registry.host() + "/nosuch:1";
        assertEquals(
                "manifest for " + name + " not found: manifest unknown: manifest unknown",
                assertThrows(DistributionException.NotInRegistry.class, () -> engine.pull(name)).getMessage());
        engine.assertEmpty();
    }
}
