package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Images as power cuts, bad blocks and other engines leave them: opening never fails, costs what is damaged and nothing else, and
/// deletes nothing that it cannot explain.
class DamagedStoreIT {
    @TempDir
    Path root;

    private Path store;
    private ImageId one;
    private ImageId two;

    @BeforeEach
    void twoImages() throws IOException {
        store = root.resolve("image/overlay2");
        try (Engine engine = Engine.open(root)) {
            one = add(engine, "one");
            two = add(engine, "two");
            engine.images.tag(one, ImageReference.parse("other:1"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\0\0\0\0\0\0", "{\"Repositories\":{\"one\":{\"one:1\"", "[]", "{\"Repositories\":{\"one\":null}}", "a folder"})
    void damagedNamesCostTheNamesAndNotTheImages(String damage) throws IOException {
        damage(store.resolve("repositories.json"), damage);
        try (Engine engine = Engine.open(root)) {
            assertEquals(2, engine.images.list().size());
            assertEquals(List.of(), engine.images.references(one));
            engine.images.tag(one, ImageReference.parse("again:1"));
        }
        assertTrue(Files.exists(root.resolve("quarantine/image/overlay2/repositories.json")));
        try (Engine engine = Engine.open(root)) {
            assertEquals(one, engine.images.resolve("again:1").id());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\0\0\0\0\0\0", "{}", "a folder"})
    void aDamagedConfigurationCostsThatImageAlone(String damage) throws IOException {
        damage(store.resolve("imagedb/content/sha256").resolve(one.digest().hex()), damage);
        try (Engine engine = Engine.open(root)) {
            assertEquals(List.of(two), engine.images.list().stream().map(Image::id).toList());
            assertEquals(two, engine.images.resolve("two:1").id());
        }
        assertTrue(Files.exists(root.resolve("quarantine/image/overlay2/imagedb/content/sha256").resolve(one.digest().hex())));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\0\0\0\0\0\0", "yesterday", "a folder"})
    void damagedMetadataCostsNoImage(String damage) throws IOException {
        Path metadata = store.resolve("imagedb/metadata/sha256").resolve(one.digest().hex());
        damage(metadata.resolve("lastUpdated"), damage);
        damage(metadata.resolve("parent"), damage);
        Files.writeString(metadata.resolve(".tmp-lastUpdated123.tmp"), "");
        Files.writeString(store.resolve("imagedb/metadata/sha256/stray"), "");
        Path unknown = Files.createDirectories(store.resolve("imagedb/metadata/sha256").resolve("ab".repeat(32)).resolve("folder"));
        try (Engine engine = Engine.open(root)) {
            assertEquals(2, engine.images.list().size());
            assertEquals(Optional.empty(), engine.images.lastTagged(one));
            engine.images.tag(one, ImageReference.parse("again:1"));
            assertTrue(damage.equals("a folder") || engine.images.lastTagged(one).isPresent());
        }
        assertFalse(Files.exists(metadata.resolve(".tmp-lastUpdated123.tmp")));
        assertFalse(Files.exists(unknown));
        Path quarantined = root.resolve("quarantine/image/overlay2/imagedb/metadata/sha256").resolve("ab".repeat(32));
        assertTrue(Files.exists(quarantined.resolve("folder")));
    }

    @Test
    void filesThatNeverGotTheirNamesAreDeleted() throws IOException {
        List<Path> leftovers = Stream.of(".tmp-repositories.json1", "imagedb/content/sha256/.tmp-1", "imagedb/metadata/sha256/.tmp-1",
                "imagedb/metadata/sha256/" + one.digest().hex() + "/.tmp-parent1", "distribution/diffid-by-digest/sha256/.tmp-1")
                .map(store::resolve).toList();
        for (Path leftover : leftovers) {
            Files.createDirectories(leftover.getParent());
            Files.writeString(leftover, "half of what");
        }
        Engine.open(root).close();
        for (Path leftover : leftovers) assertFalse(Files.exists(leftover), leftover.toString());
    }

    @Test
    void anImageThatWasAboutToGetItsFirstNamesIsRemovedWithItsLayers() throws IOException {
        cutBeforeNames();
        try (Engine engine = Engine.open(root)) {
            assertEquals(List.of(two), engine.images.list().stream().map(Image::id).toList());
            engine.images.removeUnusedLayers();
            assertEquals(1, engine.namesIn("image/overlay2/layerdb/sha256").size());
            assertEquals(one, add(engine, "one"));
        }
        try (Engine engine = Engine.open(root)) {
            assertEquals(one, engine.images.resolve("one:1").id());
            assertEquals(List.of(), engine.namesIn("image/overlay2/imagedb/metadata/sha256"));
        }
    }

    @Test
    void anImageThatMayHaveHadNamesStaysWhenNobodyKnowsThem() throws IOException {
        cutBeforeNames();
        damage(store.resolve("repositories.json"), "");
        for (int start = 0; start < 2; start++) {
            try (Engine engine = Engine.open(root)) {
                assertEquals(2, engine.images.list().size());
            }
        }
    }

    /// As a power cut leaves it between the image and its names.
    private void cutBeforeNames() throws IOException {
        Files.writeString(store.resolve("repositories.json"), "{\"Repositories\":{\"two\":{\"two:1\":\"" + two + "\"}}}");
        Path metadata = Files.createDirectories(store.resolve("imagedb/metadata/sha256").resolve(one.digest().hex()));
        Files.writeString(metadata.resolve("changing"), "");
    }

    private static void damage(Path file, String damage) throws IOException {
        Files.deleteIfExists(file);
        if (damage.equals("a folder")) Files.createDirectories(file.resolve("inside"));
        else Files.writeString(file, damage);
    }

    /// The same image each time.
    private static ImageId add(Engine engine, String name) throws IOException {
        var layer = engine.layers.stage();
        layer.extract(new ByteArrayInputStream(TestImage.tar(Map.of(name, name.getBytes(UTF_8)))));
        var committed = layer.commit(Optional.empty());
        String config = """
                {"os":"linux","architecture":"amd64","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}""".formatted(committed.diffId());
        return engine.images.register(config.getBytes(UTF_8), Optional.of(committed.chainId()), List.of(ImageReference.parse(name + ":1")));
    }
}
