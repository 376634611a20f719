package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.graphdriver.Digest;
import java.io.ByteArrayOutputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Deltas made in one data root and pulled or loaded in another.
@Timeout(120)
class DeltaIT {
    @TempDir
    Path folder;

    private final DeltaPair pair = new DeltaPair(Compression.GZIP);
    private ScriptedRegistry registry;
    private Engine builder;
    private Engine device;

    @BeforeEach
    void open() throws IOException {
        registry = new ScriptedRegistry();
        builder = Engine.open(Files.createDirectory(folder.resolve("builder")));
        device = Engine.open(Files.createDirectory(folder.resolve("device")));
        pair.loadBase(builder);
        pair.loadTarget(builder);
    }

    @AfterEach
    void close() throws IOException {
        registry.close();
        if (builder != null) builder.close();
        if (device != null) device.close();
    }

    @Test
    void aDeltaIsMadeWithTheMessagesThatItsUsersKnow() throws IOException {
        var messages = new Engine.Messages();
        DeltaCreation.Made made = pair.create(builder, "app:delta", messages);
        List<String> lines = messages.lines();
        assertTrue(lines.getFirst().startsWith("app:old: Fingerprinting "), lines::toString);
        List<String> rest = lines.stream().filter(line -> !line.contains("Fingerprinting") && !line.contains("Computing delta")).toList();
        assertTrue(rest.getFirst().matches("app:old: Fingerprint complete, took [0-9.µm]+s"), rest::toString);
        List<String> ids = pair.target.layers().stream().map(layer -> layer.diffId().digest().shortHex()).toList();
        assertEquals(List.of(ids.get(0) + ": Waiting", ids.get(1) + ": Waiting", ids.get(2) + ": Waiting", ids.get(3) + ": Waiting",
                ids.get(0) + ": Skipping common layer", ids.get(1) + ": Delta complete", ids.get(2) + ": Delta complete",
                ids.get(3) + ": Delta complete"), rest.subList(1, rest.size()));
        int size = pair.target.layers().get(1).tar().length;
        assertTrue(lines.contains(ids.get(1) + ": Computing delta " + size + "/" + size), lines::toString);
        assertEquals(3L * size, made.normal());
        assertTrue(made.improvement() > 50, "improvement: " + made.improvement());
        assertEquals(made.id(), builder.images.resolve("app:delta").id());
        assertEquals(List.of(), builder.namesIn("tmp"));
    }

    @Test
    void aDeltaIsAnOrdinaryImageWithItsLabels() throws IOException {
        ImageId id = pair.create(builder, "app:delta", new Engine.Messages()).id();
        Image delta = builder.images.find(id).orElseThrow();
        assertEquals(4, delta.diffIds().size());
        assertEquals("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", delta.diffIds().getFirst().toString());
        JsonNode labels = delta.config().path("config").path("Labels");
        assertEquals(2, labels.size());
        assertEquals(pair.base.id().toString(), labels.path("io.resin.delta.base").asText());
        assertEquals(pair.target.id(), new ImageId(Digest.of(labels.path("io.resin.delta.config").asText().getBytes())));
        Path file = builder.fileOf(id, 1, "delta");
        assertEquals("rw-------", java.nio.file.attribute.PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
        assertEquals(0, Files.getLastModifiedTime(file).toMillis());
    }

    @Test
    void aPulledDeltaGivesTheTargetAndLeavesNoTraceInTheCaches() throws IOException {
        String name = push();
        pair.loadBase(device);
        var messages = new Engine.Messages();
        assertEquals(pair.target.id(), device.pull(name, messages));
        pair.assertTargetIsThere(device, name);
        assertEquals(2, device.images.list().size());
        assertEquals(1, messages.count("Already exists"));
        assertTrue(messages.lines().contains("delta: Pulling from app"), messages.lines()::toString);
        assertTrue(messages.lines().contains("Status: Downloaded newer image for " + name));
        assertFalse(Files.exists(device.root.resolve("image/overlay2/distribution/diffid-by-digest/sha256"))
                && !device.namesIn("image/overlay2/distribution/diffid-by-digest/sha256").isEmpty());
        long asked = registry.requests().stream().filter(request -> request.path().contains("/blobs/")).count();
        messages = new Engine.Messages();
        device.pull(name, messages);
        assertTrue(messages.lines().contains("Status: Image is up to date for " + name));
        // The configuration alone tells that the target is here.
        assertEquals(asked + 1, registry.requests().stream().filter(request -> request.path().contains("/blobs/")).count());
        device.images.remove(name, false, true, _ -> List.of());
        device.images.remove("app:old", true, true, _ -> List.of());
        device.assertNothingIsUsed();
    }

    @Test
    void theBaseMayLieInAnotherDataRootWithTheCommonLayersToo() throws IOException {
        String name = push();
        pair.loadBase(device);
        Path other = Files.createDirectory(folder.resolve("other"));
        try (Engine host = Engine.open(other, device.root)) {
            assertEquals(pair.target.id(), host.pull(name));
            pair.assertTargetIsThere(host, name);
            host.images.remove(name, false, true, _ -> List.of());
            host.assertNothingIsUsed();
            load(host, archive(builder));
            pair.assertTargetIsThere(host, "app:delta");
        }
        assertEquals(1, device.images.list().size());
    }

    @Test
    void withoutItsBaseADeltaIsRefusedBeforeAnythingIsSaid() throws IOException {
        String name = push();
        var messages = new Engine.Messages();
        String said = assertThrows(DistributionException.NoDeltaBase.class, () -> device.pull(name, messages)).getMessage();
        String id = pair.base.id().toString();
        assertEquals("loading delta base image \"" + id + "\": failed to get digest " + id + ": open " + device.root
                + "/image/overlay2/imagedb/content/sha256/" + id.substring(7) + ": no such file or directory", said);
        assertEquals(List.of(), messages.lines());
        device.assertEmpty();
        byte[] archive = archive(builder);
        assertEquals(said, assertThrows(DistributionException.NoDeltaBase.class, () -> load(device, archive)).getMessage());
        device.assertEmpty();
    }

    @Test
    void aLoadedDeltaGivesTheTarget() throws IOException {
        pair.loadBase(device);
        byte[] archive = archive(builder);
        assertEquals(pair.target.id(), load(device, archive).getFirst().id());
        pair.assertTargetIsThere(device, "app:delta");
        assertEquals(2, device.images.list().size());
        device.images.tag(pair.target.id(), ImageReference.parse("app:other"));
        device.images.remove("app:delta", false, true, _ -> List.of());
        // Here already: named again, and nothing made anew.
        assertEquals(pair.target.id(), load(device, archive).getFirst().id());
        assertEquals(pair.target.id(), device.images.resolve("app:delta").id());
        device.images.remove(pair.target.id().toString(), true, true, _ -> List.of());
        device.images.remove("app:old", true, true, _ -> List.of());
        device.assertEmpty();
    }

    @Test
    void aBaseAndItsDeltaMayComeInOneArchive() throws IOException {
        pair.create(builder, "app:delta", new Engine.Messages());
        var archive = new ByteArrayOutputStream();
        new ImageSaver(builder.layers, builder.images).save(List.of("app:delta", "app:old"), Optional.empty(), archive);
        assertEquals(List.of(pair.target.id(), pair.base.id()), load(device, archive.toByteArray()).stream().map(ImageLoader.Loaded::id).toList());
        pair.assertTargetIsThere(device, "app:delta");
        assertEquals(4 + 3 + 1, device.namesIn("overlay2").size());
    }

    @Test
    void oneFlippedByteOfTheBaseIsNamed() throws IOException {
        String name = push();
        pair.loadBase(device);
        Path file = pair.baseFile(device, 2, "changed-2");
        Files.write(file, DeltaPair.flipped(Files.readAllBytes(file), 150_000));
        String damage = "delta base image \"" + pair.base.id() + "\": layer is damaged: changed-2 differs from what was recorded";
        assertEquals("failed to register layer: " + damage, assertThrows(IOException.class, () -> device.pull(name)).getMessage());
        byte[] archive = archive(builder);
        assertEquals(damage, assertThrows(IOException.class, () -> load(device, archive)).getMessage());
        assertEquals(1, device.images.list().size());
        Files.write(file, DeltaPair.flipped(Files.readAllBytes(file), 150_000));
        assertEquals(pair.target.id(), device.pull(name));
        pair.assertTargetIsThere(device, name);
    }

    @Test
    void aBaseThatLostAFileIsNamedAndRemainsUsableForTheRest() throws IOException {
        String name = push();
        pair.loadBase(device);
        Path file = pair.baseFile(device, 1, "same-1");
        byte[] content = Files.readAllBytes(file);
        Files.delete(file);
        assertEquals("failed to register layer: delta base image \"" + pair.base.id() + "\": layer is damaged: same-1 is missing",
                assertThrows(IOException.class, () -> device.pull(name)).getMessage());
        Files.write(file, content);
        assertEquals(pair.target.id(), device.pull(name));
    }

    @Test
    void aDamagedDeltaInAnArchiveIsRefusedWhereverTheDamageIs() throws IOException {
        pair.loadBase(device);
        ImageId id = pair.create(builder, "app:delta", new Engine.Messages()).id();
        Image delta = builder.images.find(id).orElseThrow();
        var random = new SplittableRandom(1);
        for (int i = 0; i < 12; i++) {
            byte[] tar;
            try (var in = builder.layers.openTar(io.balena.engine.graphdriver.ChainId.of(delta.diffIds().subList(0, 2)).orElseThrow())) {
                tar = in.readAllBytes();
            }
            int size = (int) Files.size(builder.fileOf(id, 1, "delta"));
            byte[] bad = DeltaPair.flipped(tar, 512 + random.nextInt(size));
            byte[] archive = withLayer(delta, 1, bad);
            assertThrows(DistributionException.InvalidContent.class, () -> load(device, archive));
            assertEquals(1, device.images.list().size());
            assertEquals(List.of(), device.namesIn("image/overlay2/layerdb/tmp"));
        }
        assertEquals(pair.target.id(), load(device, withLayer(delta, 1, new byte[0])).getFirst().id());
    }

    @Test
    void anInterruptedDeltaPullGoesOnWhereItStopped() throws IOException {
        push();
        pair.loadBase(device);
        try (var door = new CuttingDoor(registry.host(), 1500, 4)) {
            String name = door.host() + "/app:delta";
            assertEquals(pair.target.id(), device.pull(name));
            pair.assertTargetIsThere(device, name);
        }
    }

    @Test
    void aBaseThatIsRemovedMeanwhileStaysUntilTheDeltaIsApplied() throws Exception {
        String name = push();
        pair.loadBase(device);
        var messages = new Engine.Messages() {
            @Override
            public void status(String id, String status) {
                super.status(id, status);
                if (!status.equals("Pulling fs layer") || count("Pulling fs layer") > 1) return;
                try {
                    device.images.remove("app:old", true, true, _ -> List.of());
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            }
        };
        assertEquals(pair.target.id(), device.pull(name, messages));
        pair.assertTargetIsThere(device, name);
        assertEquals(1, device.images.list().size());
        device.images.remove(name, false, true, _ -> List.of());
        device.assertNothingIsUsed();
    }

    @Test
    void aFullDiskLeavesTheOldState() throws IOException {
        String name = push();
        try (var disk = SmallDisk.mount(Files.createDirectory(folder.resolve("small")), 8); Engine small = Engine.open(disk.path().resolve("root"))) {
            pair.loadBase(small);
            Files.write(disk.path().resolve("filler"), new byte[(int) Math.max(0, disk.freeBytes() - 700_000)]);
            assertThrows(IOException.class, () -> small.pull(name));
            byte[] archive = archive(builder);
            assertThrows(IOException.class, () -> load(small, archive));
            pair.loadTargetFails(small);
            assertEquals(List.of(pair.base.id()), small.images.list().stream().map(Image::id).toList());
            assertEquals(List.of(), small.namesIn("image/overlay2/layerdb/tmp"));
            Files.delete(disk.path().resolve("filler"));
            assertEquals(pair.target.id(), small.pull(name));
            pair.assertTargetIsThere(small, name);
        }
    }

    @Test
    void whoLeavesWhileADeltaIsMadeLeavesNothing() throws IOException {
        Thread maker = Thread.currentThread();
        Progress leaving = new Engine.Messages() {
            @Override
            public void advance(String id, String status, long current, long total) {
                if (status.equals("Computing delta")) maker.interrupt();
            }
        };
        assertThrows(IOException.class, () -> pair.create(builder, "app:delta", leaving));
        Thread.interrupted();
        assertEquals(2, builder.images.list().size());
        assertEquals(List.of(), builder.namesIn("image/overlay2/layerdb/tmp"));
        assertEquals(List.of(), builder.namesIn("tmp"));
    }

    @Test
    void aDeltaBetweenTheSameImageIsNothingButCommonLayers() throws IOException {
        Image image = builder.images.resolve("app:old");
        var creation = new DeltaCreation(builder.images, builder.layers, builder.bases, builder.root.resolve("tmp"));
        DeltaCreation.Made made = creation.create(image, "app:old", image, Optional.empty(), new Engine.Messages());
        assertEquals(0, made.delta());
        assertEquals(1.0, made.improvement());
        assertEquals(4, builder.images.find(made.id()).orElseThrow().diffIds().size());
    }

    private String push() throws IOException {
        String name = registry.host() + "/app:delta";
        pair.create(builder, name, new Engine.Messages());
        builder.push(name, new Engine.Messages());
        return name;
    }

    private byte[] archive(Engine from) throws IOException {
        if (from.images.named(ImageReference.parse("app:delta")).isEmpty()) pair.create(from, "app:delta", new Engine.Messages());
        var archive = new ByteArrayOutputStream();
        new ImageSaver(from.layers, from.images).save(List.of("app:delta"), Optional.empty(), archive);
        return archive.toByteArray();
    }

    /// An archive of `delta` with another tar as one of its layers; with its own when that is empty.
    private byte[] withLayer(Image delta, int layer, byte[] tar) throws IOException {
        TestImage image = TestImage.empty();
        for (int i = 0; i < delta.diffIds().size(); i++) {
            try (var own = builder.layers.openTar(io.balena.engine.graphdriver.ChainId.of(delta.diffIds().subList(0, i + 1)).orElseThrow())) {
                byte[] bytes = own.readAllBytes();
                image.addTar(i == layer && tar.length > 0 ? tar : bytes, Compression.NONE);
            }
        }
        image.config().set("config", delta.config().path("config"));
        return TestArchive.docker(image, "app:delta").tar();
    }

    private static List<ImageLoader.Loaded> load(Engine engine, byte[] archive) throws IOException {
        return engine.loader().load(new ByteArrayInputStream(archive), Optional.empty(), new Engine.Messages());
    }
}
