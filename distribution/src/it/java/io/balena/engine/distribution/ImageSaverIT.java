package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.TarMembers;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class ImageSaverIT {
    @TempDir
    Path root;

    private final TestImage image = TestImage.ofLayers(3, Compression.NONE);
    private final TestImage bigger = TestImage.ofLayers(3, Compression.NONE).add(Map.of("more", new byte[7]), Compression.NONE);
    private Engine engine;
    private ImageSaver saver;
    private ImageLoader loader;

    @BeforeEach
    void twoImagesOnTheSameLayers() throws IOException {
        engine = Engine.open(root);
        saver = new ImageSaver(engine.layers, engine.images);
        loader = engine.loader();
        load(TestArchive.docker(image, "app:1", "app:one").addDocker(bigger, "app:2", "127.0.0.1:5000/other:2").tar());
    }

    @AfterEach
    void close() throws IOException {
        if (engine != null) engine.close();
    }

    @Test
    void whatIsSavedLoadsAsTheSameImages() throws IOException {
        byte[] saved = save("app", "127.0.0.1:5000/other:2");
        engine.images.remove(image.id().toString(), true, true, _ -> List.of());
        engine.images.remove(bigger.id().toString(), true, true, _ -> List.of());
        engine.assertEmpty();
        load(saved);
        assertEquals(image.id(), engine.images.resolve("app:one").id());
        assertEquals(bigger.id(), engine.images.resolve("127.0.0.1:5000/other:2").id());
        assertArrayEquals(TestImage.noise(20_000, 1), Files.readAllBytes(engine.fileOf(image.id(), 1, "file-1")));
        assertArrayEquals(saved, save("app", "127.0.0.1:5000/other:2"));
    }

    @Test
    void eachLayerIsThereOnceWithTheBytesItCameWith() throws IOException {
        Map<String, byte[]> files = files(save("app:1", "app:2"));
        for (TestImage.LayerOfTest layer : bigger.layers()) {
            assertArrayEquals(layer.tar(), files.get("blobs/sha256/" + layer.diffId().digest().hex()));
        }
        assertArrayEquals(image.configJson(), files.get("blobs/sha256/" + image.id().digest().hex()));
        assertEquals(4 + 2 + 2 + 4, files.size());
        files.forEach((path, content) -> {
            if (path.startsWith("blobs/sha256/")) assertEquals(path.substring("blobs/sha256/".length()), Digest.of(content).hex());
        });
    }

    @Test
    void namesAreTakenAsDockerTakesThem() throws IOException {
        assertEquals(List.of(List.of("app:1")), tags(save("app:1")));
        assertEquals(List.of(List.of("app:1", "app:one"), List.of("app:2")), tags(save("app")));
        assertEquals(List.of(List.of()), tags(save(image.id().toString())));
        assertEquals(List.of(List.of()), tags(save(image.id().digest().shortHex())));
        assertEquals(List.of(List.of("app:one")), tags(save(image.id().digest().shortHex(), "app:one", "app:one")));
        engine.images.tag(image.id(), ImageReference.parse("app@sha256:" + "ab".repeat(32)));
        assertEquals(List.of(List.of()), tags(save("app@sha256:" + "ab".repeat(32))));
    }

    @Test
    void nothingIsWrittenWhenOneOfTheNamesIsUnknown() {
        for (String name : List.of("nope", "nope:1", "app:3", "sha256:1234", "0123456789ab")) {
            var out = new ByteArrayOutputStream();
            assertEquals("No such image: " + name, assertThrows(DistributionException.NoSuchImage.class,
                    () -> saver.save(List.of("app:1", name), Optional.empty(), out)).getMessage());
            assertEquals(0, out.size());
        }
        assertThrows(DistributionException.InvalidRequest.class, () -> save("App:1"));
    }

    @Test
    void anImageOfAnotherPlatformThanWantedIsNotSaved() throws IOException {
        String here = Platform.ofThisMachine().architecture();
        OutputStream nowhere = OutputStream.nullOutputStream();
        assertEquals(1, saver.save(List.of("app:1"), Optional.of("linux/" + here), nowhere).size());
        assertEquals(1, saver.save(List.of("app:1"), Optional.of("{\"os\":\"linux\",\"architecture\":\"" + here + "\"}"), nowhere).size());
        Exception e = assertThrows(
                DistributionException.NoSuchImage.class, () -> saver.save(List.of("app:1"), Optional.of("linux/riscv64"), nowhere));
        assertEquals("No such image: " + image.id() + " for platform linux/riscv64, only for linux/" + here, e.getMessage());
    }

    @Test
    void aDamagedLayerIsNotPassedOn() throws IOException {
        Files.write(engine.fileOf(image.id(), 1, "file-1"), new byte[20_000]);
        IOException e = assertThrows(IOException.class, () -> save("app:1"));
        assertEquals("layer is damaged: file-1 differs from what was recorded", e.getMessage());
    }

    @Test
    void anImageRemovedMeanwhileIsSavedWhole() throws IOException {
        byte[] whole = save("app:1");
        var out = new ByteArrayOutputStream() {
            private boolean removed;

            @Override
            public void write(byte[] bytes, int offset, int length) {
                if (!removed && size() > 10_000) {
                    removed = true;
                    try {
                        engine.images.remove(image.id().toString(), true, true, _ -> List.of());
                        engine.images.remove(bigger.id().toString(), true, true, _ -> List.of());
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                }
                super.write(bytes, offset, length);
            }
        };
        saver.save(List.of("app:1"), Optional.empty(), out);
        assertArrayEquals(whole, out.toByteArray());
        engine.assertEmpty();
    }

    @Test
    void aClientThatLeavesKeepsNoLayer() throws IOException {
        assertThrows(IOException.class, () -> saver.save(List.of("app:1"), Optional.empty(), new OutputStream() {
            private int size;

            @Override
            public void write(int b) throws IOException {
                if (++size > 30_000) throw new IOException("the client has left");
            }
        }));
        engine.images.remove(image.id().toString(), true, true, _ -> List.of());
        engine.images.remove(bigger.id().toString(), true, true, _ -> List.of());
        engine.assertEmpty();
    }

    @Test
    void savingWritesNothingToTheDataRootNotEvenWhenItsFilesWereRead() throws IOException {
        List<String> before = everything();
        save("app");
        assertEquals(before, everything());
        assertTrue(before.size() > 20);
    }

    private List<String> everything() throws IOException {
        try (var files = Files.walk(root)) {
            return files.map(ImageSaverIT::times).sorted().toList();
        }
    }

    private static String times(Path file) {
        try {
            var attributes = Files.readAttributes(file, BasicFileAttributes.class);
            boolean content = attributes.isRegularFile() && file.toString().contains("/diff/");
            return file + " " + attributes.lastModifiedTime() + (content ? " " + attributes.lastAccessTime() : "");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void load(byte[] archive) throws IOException {
        loader.load(new ByteArrayInputStream(archive), Optional.empty(), new Engine.Messages());
    }

    private byte[] save(String... names) throws IOException {
        var out = new ByteArrayOutputStream();
        saver.save(List.of(names), Optional.empty(), out);
        return out.toByteArray();
    }

    private static Map<String, byte[]> files(byte[] archive) throws IOException {
        var members = new TarMembers(new ByteArrayInputStream(archive));
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (var member = members.next(); member.isPresent(); member = members.next()) {
            if (member.get().type() == TarMembers.Type.FILE) files.put(member.get().path(), members.content().readAllBytes());
        }
        return files;
    }

    private static List<List<String>> tags(byte[] archive) throws IOException {
        List<List<String>> tags = new ArrayList<>();
        for (JsonNode item : Json.MAPPER.readTree(files(archive).get("manifest.json"))) {
            tags.add(StreamSupport.stream(item.path("RepoTags").spliterator(), false).map(JsonNode::asText).toList());
        }
        return tags;
    }
}
