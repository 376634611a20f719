package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(120)
class ImageLoaderIT {
    @TempDir
    Path root;

    private final TestImage image = TestImage.ofLayers(3, Compression.NONE);
    private Engine engine;
    private ImageLoader loader;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root);
        loader = engine.loader();
    }

    @AfterEach
    void close() throws IOException {
        if (engine != null) engine.close();
    }

    @ParameterizedTest
    @EnumSource
    void anArchiveIsLoadedHoweverItIsPacked(Compression compression) throws IOException {
        var messages = new Engine.Messages();
        byte[] packed = CompressionTest.pack(compression, TestArchive.docker(image, "app:1", "app:2").tar());
        List<ImageLoader.Loaded> loaded = loader.load(new ByteArrayInputStream(packed), Optional.empty(), messages);
        assertEquals(List.of(image.id()), loaded.stream().map(ImageLoader.Loaded::id).toList());
        assertEquals(List.of("app:1", "app:2"), names(image.id()));
        assertArrayEquals(TestImage.noise(20_000, 1), Files.readAllBytes(engine.fileOf(image.id(), 1, "file-1")));
        int size = image.layers().getFirst().tar().length;
        assertEquals(3, messages.count(": Loading layer " + size + "/" + size), messages.lines()::toString);
        engine.images.remove("app:1", false, true, _ -> List.of());
        engine.images.remove("app:2", false, true, _ -> List.of());
        engine.assertEmpty();
    }

    @ParameterizedTest
    @EnumSource
    void theLayersOfAnOciLayoutMayBePacked(Compression compression) throws IOException {
        TestImage packed = TestImage.ofLayers(2, compression);
        load(TestArchive.oci(packed, "127.0.0.1:5000/app:1"));
        assertEquals(List.of("127.0.0.1:5000/app:1"), names(packed.id()));
        assertArrayEquals(TestImage.noise(20_000, 1), Files.readAllBytes(engine.fileOf(packed.id(), 1, "file-1")));
    }

    @Test
    void theManifestMayComeFirst() throws IOException {
        load(TestArchive.docker(image, "app:1").first("manifest.json"));
        assertEquals(List.of("app:1"), names(image.id()));
    }

    @Test
    void anImageWithoutAUsableNameIsLoadedByItsId() throws IOException {
        List<TestArchive> nameless = List.of(
                TestArchive.docker(image), TestArchive.oci(image, ""),
                TestArchive.oci(image, "latest"), TestArchive.oci(image, "any text?"));
        for (TestArchive archive : nameless) {
            assertEquals(List.of(new ImageLoader.Loaded(image.id(), List.of(), Map.of())), load(archive));
            assertEquals(List.of(), names(image.id()));
        }
    }

    @Test
    void aNameThatAnotherImageHadMovesAndIsReported() throws IOException {
        TestImage other = TestImage.ofLayers(1, Compression.NONE);
        load(TestArchive.docker(image, "app:1"));
        List<ImageLoader.Loaded> loaded = load(TestArchive.docker(other, "app:1"));
        assertEquals(Map.of(ImageReference.parse("app:1"), image.id()), loaded.getFirst().renamed());
        assertEquals(List.of(), names(image.id()));
        assertEquals(Map.of(), load(TestArchive.docker(other, "app:1")).getFirst().renamed());
    }

    @Test
    void imagesOfOneArchiveShareTheirLayers() throws IOException {
        TestImage bigger = TestImage.ofLayers(3, Compression.NONE).add(Map.of("more", new byte[7]), Compression.NONE);
        assertEquals(2, load(TestArchive.docker(image, "app:1").addDocker(bigger, "app:2")).size());
        assertEquals(4, engine.namesIn("image/overlay2/layerdb/sha256").size());
        assertEquals(5, engine.namesIn("overlay2").size());
        assertEquals(bigger.id(), engine.images.resolve("app:2").id());
    }

    @Test
    void layersThatTheStoreHasAreNotWrittenAgainWhenTheirNamesTell() throws IOException {
        load(TestArchive.oci(image, "app:1"));
        List<String> before = engine.namesIn("overlay2");
        TestImage bigger = TestImage.ofLayers(3, Compression.NONE).add(Map.of("more", new byte[7]), Compression.NONE);
        var messages = new Engine.Messages();
        loader.load(TestArchive.oci(bigger, "app:2").stream(), Optional.empty(), messages);
        assertEquals(1, messages.lines().stream().map(line -> line.split(":")[0]).distinct().count(), messages.lines()::toString);
        assertTrue(engine.namesIn("overlay2").containsAll(before));
        assertEquals(5, engine.namesIn("overlay2").size());
    }

    @Test
    void aLayerThatTheStoreHasUponOthersIsCopiedFromThere() throws IOException {
        load(TestArchive.oci(image, "app:1"));
        TestImage upsideDown = TestImage.empty();
        image.layers().reversed().forEach(layer -> upsideDown.addTar(layer.tar(), Compression.NONE));
        var messages = new Engine.Messages();
        loader.load(TestArchive.oci(upsideDown, "app:2").stream(), Optional.empty(), messages);
        assertEquals(List.of(), messages.lines());
        assertArrayEquals(TestImage.noise(20_000, 2), Files.readAllBytes(engine.fileOf(upsideDown.id(), 0, "file-2")));
        assertArrayEquals(TestImage.noise(20_000, 0), Files.readAllBytes(engine.fileOf(upsideDown.id(), 2, "file-0")));
        try (var tar = engine.layers.openTar(engine.images.resolve("app:2").chain().orElseThrow())) {
            assertArrayEquals(image.layers().getFirst().tar(), tar.readAllBytes());
        }
    }

    @Test
    void anImageMayHaveTheSameLayerTwice() throws IOException {
        TestImage twice = TestImage.ofLayers(2, Compression.NONE);
        twice.addTar(twice.layers().getFirst().tar(), Compression.NONE);
        TestArchive archive = TestArchive.docker(twice, "app:1");
        String upper = archive.layerPath(2);
        load(archive.link(upper, "../" + archive.layerPath(0)));
        assertEquals(3, engine.namesIn("image/overlay2/layerdb/sha256").size());
        assertArrayEquals(TestImage.noise(20_000, 0), Files.readAllBytes(engine.fileOf(twice.id(), 2, "file-0")));
        load(TestArchive.oci(twice, "app:2"));
        assertEquals(List.of("app:1", "app:2"), names(twice.id()));
    }

    @Test
    void ofTwoPlatformsTheOneAskedForIsTakenElseThisMachines() throws IOException {
        TestImage here = TestImage.ofLayers(1, Compression.GZIP);
        TestImage there = TestImage.ofLayers(2, Compression.GZIP);
        String platform = Platform.ofThisMachine().toString();
        TestArchive flat = TestArchive.oci(image, "other:1").addOci(there, "app:1", "linux/riscv64").addOci(here, "app:1", platform);
        assertEquals(2, load(flat).size());
        assertEquals(here.id(), engine.images.resolve("app:1").id());
        TestArchive nested = TestArchive.empty().addOci(there, "", "linux/riscv64").addOci(here, "", platform)
                .addOci(there, "", "unknown/unknown").nested("app:2");
        assertEquals(List.of(here.id()), load(nested).stream().map(ImageLoader.Loaded::id).toList());
        assertEquals(here.id(), engine.images.resolve("app:2").id());
        Optional<String> other = Optional.of("{\"os\":\"linux\",\"architecture\":\"riscv64\"}");
        List<ImageLoader.Loaded> asked = loader.load(nested.stream(), other, new Engine.Messages());
        assertEquals(List.of(there.id()), asked.stream().map(ImageLoader.Loaded::id).toList());
    }

    @Test
    void whatNoImageNeedsDoesNoHarm() throws IOException {
        load(TestArchive.docker(image, "app:1").with("extra.gz", CompressionTest.pack(Compression.GZIP, "no tar".getBytes(UTF_8)))
                .with("other.tar", TestImage.tar(Map.of("x", new byte[10])))
                .with("notes", "hello").with("noise", TestImage.noise(5_000_000, 1))
                .link("dangling", "nowhere"));
        assertEquals(4, engine.namesIn("overlay2").size());
        assertEquals(List.of(), engine.namesIn("image/overlay2/layerdb/tmp"));
    }

    @Test
    void theSameArchiveLoadedManyTimesAtOnceIsOneImage() throws Exception {
        byte[] docker = TestArchive.docker(image, "app:1").tar();
        byte[] oci = TestArchive.oci(image, "app:2").tar();
        for (int round = 0; round < 3; round++) {
            List<FutureTask<List<ImageLoader.Loaded>>> loads = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                byte[] archive = i % 2 == 0 ? docker : oci;
                var load = new FutureTask<>(() -> load(archive));
                loads.add(load);
                Thread.ofVirtual().start(load);
            }
            for (var load : loads) assertEquals(image.id(), load.get().getFirst().id());
            assertEquals(List.of("app:1", "app:2"), names(image.id()));
            assertEquals(4, engine.namesIn("overlay2").size());
            engine.images.remove(image.id().toString(), true, true, _ -> List.of());
            engine.assertEmpty();
        }
    }

    @Test
    void aLoadAndARemovalOfTheSameImageDoNotHarmEachOther() throws Exception {
        byte[] oci = TestArchive.oci(image, "app:1").tar();
        for (int round = 0; round < 20; round++) {
            load(oci);
            var load = new FutureTask<>(() -> load(oci));
            Thread.ofVirtual().start(load);
            engine.images.remove("app:1", false, true, _ -> List.of());
            load.get();
            if (engine.images.find(image.id()).isPresent()) {
                assertArrayEquals(TestImage.noise(20_000, 1), Files.readAllBytes(engine.fileOf(image.id(), 1, "file-1")));
                engine.images.remove("app:1", false, true, _ -> List.of());
            }
            engine.assertEmpty();
        }
    }

    private List<ImageLoader.Loaded> load(TestArchive archive) throws IOException {
        return loader.load(archive.stream(), Optional.empty(), new Engine.Messages());
    }

    private List<ImageLoader.Loaded> load(byte[] archive) throws IOException {
        return loader.load(new ByteArrayInputStream(archive), Optional.empty(), new Engine.Messages());
    }

    private List<String> names(ImageId id) {
        return engine.images.references(id).stream().map(ImageReference::familiar).toList();
    }
}
