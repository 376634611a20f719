package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Pushing to Debian's registry.
@Timeout(120)
class ImagePushIT {
    @TempDir
    Path folder;

    private final TestImage image = TestImage.ofLayers(4, Compression.GZIP);
    private final Engine.Messages messages = new Engine.Messages();
    private ScriptedRegistry source;
    private DebianRegistry registry;
    private Engine engine;
    private ImageId id;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(Files.createDirectory(folder.resolve("root")));
        registry = DebianRegistry.start(Files.createDirectory(folder.resolve("registry")));
        source = new ScriptedRegistry();
        image.publish(source, "made", "1", Manifest.OCI_MANIFEST);
        id = engine.pull(source.host() + "/made:1");
    }

    @AfterEach
    void close() throws IOException {
        if (source != null) source.close();
        if (registry != null) registry.close();
        if (engine != null) engine.close();
    }

    @Test
    void whatIsPushedIsPulledAsTheSameImage() throws IOException {
        push("app:1");
        try (Engine other = Engine.open(Files.createDirectory(folder.resolve("other")))) {
            assertEquals(id, other.pull(registry.host() + "/app:1"));
            assertArrayEquals(Files.readAllBytes(engine.fileOf(id, 3, "file-3")), Files.readAllBytes(other.fileOf(id, 3, "file-3")));
        }
    }

    @Test
    void eachLayerIsToldAndThenTheDigest() throws IOException {
        push("app:1");
        byte[] manifest = registry.manifest("app", "1");
        Digest digest = Digest.of(manifest);
        assertEquals("The push refers to repository [" + registry.host() + "/app]", messages.lines().getFirst());
        assertEquals(4, messages.count(": Preparing"));
        assertEquals(4, messages.count(": Pushed"));
        assertTrue(messages.count(": Pushing ") >= 4);
        assertEquals(List.of("1: digest: " + digest + " size: " + manifest.length, "aux: 1 " + digest + " " + manifest.length),
                messages.lines().subList(messages.lines().size() - 2, messages.lines().size()));
    }

    @Test
    void whatWasPushedCanBeNamedByItsDigest() throws IOException {
        push("app:1");
        ImageReference byDigest = ImageReference.parse(registry.host() + "/app@" + Digest.of(registry.manifest("app", "1")));
        assertTrue(engine.images.references(id).contains(byDigest));
    }

    @Test
    void aSecondPushSendsNothing() throws IOException {
        push("app:1");
        push("app:1");
        assertEquals(4, messages.count(": Layer already exists"));
        assertEquals(4, messages.count(": Pushed"));
    }

    @Test
    void anotherRepositoryTakesTheLayersFromTheFirst() throws IOException {
        push("app:1");
        push("other/app:1");
        assertEquals(4, messages.count(": Mounted from app"));
        assertArrayEquals(registry.manifest("app", "1"), registry.manifest("other/app", "1"));
    }

    @Test
    void theBlobsThatWerePulledAreKeptWhenTheRegistryHasThem() throws IOException {
        TestImage original = TestImage.ofLayers(4, Compression.GZIP).add(Map.of("x", new byte[1]), Compression.GZIP);
        original.publish(registry, "original", "1", Manifest.OCI_MANIFEST);
        ImageId pulled = engine.pull(registry.host() + "/original:1", messages);
        assertEquals(4, messages.count(": Already exists"), "from another registry");
        engine.images.tag(pulled, ImageReference.parse(registry.host() + "/app:1"));
        engine.push(registry.host() + "/app:1", messages);
        assertEquals(5, messages.count(": Mounted from original"));
        assertEquals(List.of(0, 1, 2, 3, 4).stream().map(original::blob).toList(), layersOf("app", "1"));
    }

    @Test
    void layersOfAnotherPackingAreNotPassedOffAsGzip() throws IOException {
        TestImage packed = TestImage.ofLayers(2, Compression.ZSTD);
        packed.addTar(TestImage.tar(Map.of("x", new byte[3])), Compression.NONE);
        var manifest = packed.manifest(Manifest.OCI_MANIFEST);
        for (JsonNode layer : manifest.path("layers")) {
            ((com.fasterxml.jackson.databind.node.ObjectNode) layer).put("mediaType", "application/vnd.oci.image.layer.v1.tar+zstd");
        }
        packed.publish(registry, "original", "1", Manifest.OCI_MANIFEST);
        registry.putManifest("original", "1", manifest.toString().getBytes(), Manifest.OCI_MANIFEST);
        ImageId zstd = engine.pull(registry.host() + "/original:1");
        engine.images.tag(zstd, ImageReference.parse(registry.host() + "/app:zstd"));
        engine.push(registry.host() + "/app:zstd", messages);
        assertEquals(3, messages.count(": Pushed"));
    }

    @Test
    void aLayerIsPackedTheSameWayEachTime() throws IOException {
        push("app:1");
        try (var files = Files.walk(engine.root.resolve("image/overlay2/distribution"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) Files.delete(file);
        }
        push("other/app:1");
        assertEquals(8, messages.count(": Pushed"));
        assertEquals(layersOf("app", "1"), layersOf("other/app", "1"));
    }

    @Test
    void withoutATagAllTagsArePushed() throws IOException {
        engine.images.tag(id, ImageReference.parse(registry.host() + "/app:2"));
        engine.images.tag(id, ImageReference.parse(registry.host() + "/app:1"));
        engine.push(registry.host() + "/app", messages);
        assertArrayEquals(registry.manifest("app", "1"), registry.manifest("app", "2"));
        assertEquals(4, messages.count(": Layer already exists"), "the second tag needs no layer that the first has brought");
        assertEquals(2, messages.count("aux: "));
    }

    @Test
    void anImageWithTheSameLayerTwiceIsPushed() throws IOException {
        byte[] tar = TestImage.tar(Map.of("x", new byte[10]));
        TestImage twice = TestImage.empty().addTar(tar, Compression.GZIP).addTar(tar, Compression.GZIP);
        twice.publish(source, "twice", "1", Manifest.OCI_MANIFEST);
        ImageId pulled = engine.pull(source.host() + "/twice:1");
        engine.images.tag(pulled, ImageReference.parse(registry.host() + "/twice:1"));
        engine.push(registry.host() + "/twice:1", messages);
        assertEquals(2, layersOf("twice", "1").size());
        assertEquals(1, messages.count(": Pushed"));
    }

    @Test
    void anImageWithoutLayersIsPushed() throws IOException {
        TestImage.empty().publish(source, "empty", "1", Manifest.OCI_MANIFEST);
        ImageId empty = engine.pull(source.host() + "/empty:1");
        engine.images.tag(empty, ImageReference.parse(registry.host() + "/empty:1"));
        engine.push(registry.host() + "/empty:1", messages);
        assertEquals(List.of(), layersOf("empty", "1"));
    }

    @Test
    void aLayerThatMustNotBePushedIsOnlyReferredTo() throws IOException {
        String foreign = "{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"size\":7,"
                + "\"digest\":\"" + image.blob(0) + "\",\"urls\":[\"https://elsewhere.invalid/layer\"]}";
        ChainId lowest = ChainId.of(engine.images.find(id).orElseThrow().diffIds().subList(0, 1)).orElseThrow();
        Files.writeString(engine.root.resolve("image/overlay2/layerdb/sha256/" + lowest.digest().hex() + "/descriptor.json"), foreign);
        String name = source.host() + "/app:foreign";
        engine.images.tag(id, ImageReference.parse(name));
        engine.push(name, messages);
        assertEquals(1, messages.count(": Skipped foreign layer"));
        JsonNode manifest = Json.MAPPER.readTree(source.manifest("app", "foreign").orElseThrow());
        assertEquals(foreign, manifest.path("layers").get(0).toString());
        assertTrue(source.blob("app", image.blob(0)).isEmpty());
    }

    @Test
    void whatIsNotThereIsSaidAsDockerSaysIt() throws IOException {
        engine.images.tag(id, ImageReference.parse(registry.host() + "/app:1"));
        String app = registry.host() + "/app";
        assertEquals("An image does not exist locally with the tag: " + registry.host() + "/none", refused(registry.host() + "/none:1"));
        assertEquals("tag does not exist: " + app + ":2", refused(app + ":2"));
        assertEquals("cannot push a digest reference", refused(app + "@" + id));
        Digest digest = image.publish(registry, "digest", "1", Manifest.OCI_MANIFEST);
        engine.pull(registry.host() + "/digest@" + digest);
        assertEquals("no tags to push for " + registry.host() + "/digest", refused(registry.host() + "/digest"));
    }

    @Test
    void aDamagedLayerEndsThePushWithItsName() throws IOException {
        Files.write(engine.fileOf(id, 2, "file-2"), new byte[1], StandardOpenOption.TRUNCATE_EXISTING);
        engine.images.tag(id, ImageReference.parse(registry.host() + "/app:1"));
        IOException failure = assertThrows(IOException.class, () -> engine.push(registry.host() + "/app:1", messages));
        assertEquals("layer is damaged: file-2 is shorter than recorded", failure.getMessage());
        assertEquals(0, messages.count("Retrying"));
        assertEquals(4, engine.namesIn("image/overlay2/layerdb/sha256").size());
    }

    @Test
    void aRegistryWithLoginsLetsOnlyItsUsersPush() throws IOException {
        try (DebianRegistry closed = DebianRegistry.startWithLogin(Files.createDirectory(folder.resolve("closed")))) {
            ImageReference name = ImageReference.parse(closed.host() + "/app:1");
            engine.images.tag(id, name);
            var password = new Credentials.Password("user", "secret");
            assertEquals("no basic auth credentials", assertThrows(DistributionException.Unauthorized.class,
                    () -> engine.pusher.push(name, new Credentials.Anonymous(), messages)).getMessage());
            assertInstanceOf(DistributionException.Unauthorized.class, assertThrows(DistributionException.class,
                    () -> engine.pusher.push(name, new Credentials.Password("user", "guess"), messages)));
            assertEquals(0, messages.count("Retrying"));
            engine.pusher.push(name, password, messages);
            KnownBlob noted = new BlobRecords(engine.root).of(engine.images.find(id).orElseThrow().diffIds().getFirst()).getFirst();
            assertTrue(LoginMark.of(password).made(noted));
        }
    }

    @Test
    void aPushSurvivesConnectionsThatBreak() throws IOException {
        TestImage large = TestImage.empty().add(Map.of("x", TestImage.noise(8_000_000, 1)), Compression.GZIP);
        large.publish(source, "large", "1", Manifest.OCI_MANIFEST);
        ImageId pulled = engine.pull(source.host() + "/large:1");
        try (CuttingDoor door = new CuttingDoor(registry.host(), 3_000_000, 2)) {
            String name = door.host() + "/large:1";
            engine.images.tag(pulled, ImageReference.parse(name));
            engine.push(name, messages);
        }
        assertTrue(messages.count("Retrying in 1 second") >= 1);
        assertEquals(1, layersOf("large", "1").size());
    }

    @Test
    void anImageIsPushedWhileItIsRemoved() throws IOException {
        engine.images.tag(id, ImageReference.parse(registry.host() + "/app:1"));
        engine.pusher.push(ImageReference.parse(registry.host() + "/app:1"), new Credentials.Anonymous(), new Engine.Messages() {
            @Override
            public void status(String line, String status) {
                try {
                    if (status.equals("Preparing")) engine.images.remove("" + id, true, true, _ -> List.of());
                } catch (IOException | DistributionException.NoSuchImage e) {
                    // By an earlier line.
                }
            }
        });
        assertEquals(4, layersOf("app", "1").size());
        engine.assertEmpty();
    }

    private void push(String name) throws IOException {
        engine.images.tag(id, ImageReference.parse(registry.host() + "/" + name));
        engine.push(registry.host() + "/" + name, messages);
    }

    private String refused(String name) {
        return assertThrows(DistributionException.class, () -> engine.push(name, messages)).getMessage();
    }

    private List<Digest> layersOf(String repository, String tag) throws IOException {
        JsonNode layers = Json.MAPPER.readTree(registry.manifest(repository, tag)).path("layers");
        return StreamSupport.stream(layers.spliterator(), false).map(layer -> Digest.parse(layer.path("digest").asText())).toList();
    }
}
