package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// An old image and a new one that differs a little: the lowest layer is the same, the others have files that are changed, the same, moved
/// and new.
final class DeltaPair {
    private static final int SIZE = 300_000;

    final TestImage base = TestImage.empty();
    final TestImage target = TestImage.empty();
    private final Map<String, byte[]> targetFiles = new LinkedHashMap<>();

    DeltaPair(Compression compression) {
        Map<String, byte[]> common = Map.of("common", TestImage.noise(SIZE, 1));
        base.add(common, compression);
        target.add(common, compression);
        for (int layer = 1; layer <= 3; layer++) {
            byte[] same = TestImage.noise(SIZE, 100 + layer);
            byte[] old = TestImage.noise(SIZE, 200 + layer);
            byte[] changed = old.clone();
            for (int i = 0; i < SIZE; i += 20_000) changed[i + layer] ^= 1;
            byte[] added = TestImage.noise(1000, 300 + layer);
            base.add(files("same-" + layer, same, "changed-" + layer, old, "gone-" + layer, added), compression);
            targetFiles.putAll(files("moved-" + layer, same, "changed-" + layer, changed, "new-" + layer, TestImage.noise(2000, 400 + layer)));
            target.add(files("moved-" + layer, same, "changed-" + layer, changed, "new-" + layer, targetFiles.get("new-" + layer)), compression);
        }
    }

    private static Map<String, byte[]> files(String a, byte[] one, String b, byte[] two, String c, byte[] three) {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put(a, one);
        files.put(b, two);
        files.put(c, three);
        return files;
    }

    void loadBase(Engine engine) throws IOException {
        engine.loader().load(TestArchive.docker(base, "app:old").stream(), Optional.empty(), new Engine.Messages());
    }

    void loadTarget(Engine engine) throws IOException {
        engine.loader().load(TestArchive.docker(target, "app:new").stream(), Optional.empty(), new Engine.Messages());
    }

    void loadTargetFails(Engine engine) {
        assertThrows(IOException.class, () -> loadTarget(engine));
    }

    /// Makes the delta in a store that has both.
    DeltaCreation.Made create(Engine engine, String name, Progress progress) throws IOException {
        var creation = new DeltaCreation(engine.images, engine.layers, engine.bases, engine.root.resolve("tmp"));
        return creation.create(engine.images.resolve("app:old"), "app:old", engine.images.resolve("app:new"),
                Optional.of(ImageReference.parse(name)), progress);
    }

    /// Checks the target byte for byte: its files, and the tar of each layer.
    void assertTargetIsThere(Engine engine, String name) throws IOException {
        Image image = engine.images.resolve(name);
        assertEquals(target.id(), image.id());
        assertEquals(target.layers().stream().map(TestImage.LayerOfTest::diffId).toList(), image.diffIds());
        for (int layer = 1; layer <= 3; layer++) {
            for (String file : List.of("moved-" + layer, "changed-" + layer, "new-" + layer)) {
                assertArrayEquals(targetFiles.get(file), Files.readAllBytes(engine.fileOf(target.id(), layer, file)), file);
            }
        }
        try (var tar = engine.layers.openTar(image.chain().orElseThrow())) {
            assertArrayEquals(target.layers().getLast().tar(), tar.readAllBytes());
        }
    }

    /// The folder of a layer of the base.
    Path baseFile(Engine engine, int layer, String name) {
        return engine.fileOf(base.id(), layer, name);
    }

    static byte[] flipped(byte[] bytes, int at) {
        byte[] copy = Arrays.copyOf(bytes, bytes.length);
        copy[at] ^= 1;
        return copy;
    }
}
