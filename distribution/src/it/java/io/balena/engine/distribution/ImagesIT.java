package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.distribution.Images.ImageUsers;
import io.balena.engine.distribution.Images.Removal;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ImagesIT {
    private static final byte[] TAR = TestImage.tar(Map.of("hello", "hi\n".getBytes(UTF_8)));
    private static final ImageUsers NOBODY = _ -> List.of();

    @TempDir
    Path root;

    private Engine engine;

    @BeforeEach
    void open() throws IOException {
        engine = Engine.open(root);
    }

    @AfterEach
    void close() throws IOException {
        if (engine != null) engine.close();
    }

    @ParameterizedTest
    @EnumSource
    void aTarIsImportedHoweverItIsPacked(Compression compression) throws IOException {
        ImageId id = importTar(CompressionTest.pack(compression, TAR), "app:1");
        assertArrayEquals("hi\n".getBytes(UTF_8), Files.readAllBytes(engine.fileOf(id, 0, "hello")));
        assertEquals(id, engine.images.resolve("app:1").id());
        assertEquals(3, engine.images.resolve("app:1").size());
    }

    /// The expected document is what Docker 20.10 wrote for the same import, but for times and its own version.
    @Test
    void theConfigurationIsWrittenAsMobyWritesIt() throws IOException {
        List<String> changes = List.of("CMD echo x", "ENV A=1", "ENTRYPOINT [\"/e\"]");
        ImageId id = engine.images.importTar(new ByteArrayInputStream(TAR), Optional.empty(), "msg", changes);
        Path file = root.resolve("image/overlay2/imagedb/content/sha256/" + id.digest().hex());
        JsonNode document = engine.images.find(id).orElseThrow().config();
        String created = document.path("created").asText();
        String none = "\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false,"
                + "\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":%s,\"Cmd\":%s,\"Image\":\"\",\"Volumes\":null,"
                + "\"WorkingDir\":\"\",\"Entrypoint\":%s,\"OnBuild\":null,\"Labels\":null";
        String expected = "{\"architecture\":\"" + Platform.ofThisMachine().architecture() + "\",\"comment\":\"msg\",\"config\":{"
                + none.formatted("[\"A=1\"]", "[\"/bin/sh\",\"-c\",\"echo x\"]", "[\"/e\"]") + "},\"container_config\":{"
                + none.formatted("null", "null", "null") + "},\"created\":\"" + created + "\",\"history\":[{\"created\":\"" + created
                + "\",\"comment\":\"msg\"}],\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\""
                + engine.images.find(id).orElseThrow().diffIds().getFirst() + "\"]}}";
        assertEquals(expected, Files.readString(file));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    @Test
    void aFailedImportLeavesNothing() throws IOException {
        assertThrows(DistributionException.InvalidContent.class, () -> importTar(TestImage.noise(5_000, 1), "app:1"));
        byte[] packed = CompressionTest.pack(Compression.GZIP, TAR);
        assertThrows(DistributionException.InvalidContent.class, () -> importTar(Arrays.copyOf(packed, 30), "app:1"));
        InputStream broken = new FilterInputStream(new ByteArrayInputStream(TAR, 0, 700)) {
            @Override
            public int read(byte[] buffer, int offset, int length) throws IOException {
                int count = super.read(buffer, offset, length);
                if (count < 0) throw new IOException("the client has left");
                return count;
            }
        };
        assertEquals("the client has left", assertThrows(IOException.class, () -> engine.images.importTar(broken, Optional.empty(), "", List.of())).getMessage());
        assertThrows(DistributionException.InvalidRequest.class,
                () -> engine.images.importTar(new ByteArrayInputStream(TAR), Optional.empty(), "", List.of("RUN x")));
        engine.assertEmpty();
    }

    @Test
    void aNameMovesToTheImageThatIsTaggedWithIt() throws IOException {
        ImageId old = importTar(TAR, "app:1");
        ImageId fresh = importTar(TAR, "app:2");
        engine.images.tag(fresh, ImageReference.parse("app:1"));
        assertEquals(fresh, engine.images.resolve("app:1").id());
        assertEquals(List.of(), engine.images.references(old));
        assertTrue(engine.images.lastTagged(fresh).isPresent());
        assertEquals(
                "refusing to create an ambiguous tag using digest algorithm as name",
                assertThrows(DistributionException.InvalidRequest.class, () -> engine.images.tag(fresh, ImageReference.parse("sha256:1"))).getMessage());
    }

    @Test
    void anInterruptionBreaksOffNoChange() throws IOException {
        ImageId id = importTar(TAR, "app:1");
        Thread.currentThread().interrupt();
        engine.images.tag(id, ImageReference.parse("app:2"));
        engine.images.remove("app:1", false, true, NOBODY);
        engine.images.remove("app:2", false, true, NOBODY);
        assertTrue(Thread.interrupted());
        engine.assertEmpty();
    }

    @Test
    void whatHasNotChangedIsNotWritten() throws IOException {
        ImageId id = importTar(TAR, "app:1");
        Path names = root.resolve("image/overlay2/repositories.json");
        Files.setLastModifiedTime(names, FileTime.fromMillis(0));
        engine.images.tag(id, ImageReference.parse("app:1"));
        assertEquals(FileTime.fromMillis(0), Files.getLastModifiedTime(names));
    }

    @Test
    void namesAreWrittenAsMobyWritesThem() throws IOException {
        ImageId id = importTar(TAR, "app:1");
        engine.images.tag(id, ImageReference.parse("127.0.0.1:5000/app"));
        Path names = root.resolve("image/overlay2/repositories.json");
        assertEquals(
                "{\"Repositories\":{\"127.0.0.1:5000/app\":{\"127.0.0.1:5000/app:latest\":\"" + id + "\"},\"app\":{\"app:1\":\"" + id + "\"}}}",
                Files.readString(names));
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(names)));
    }

    @Test
    void aSharedLayerStaysUntilItsLastImageGoes() throws IOException {
        ImageId first = importTar(TAR, "app:1");
        ImageId second = importTar(TAR, "app:2");
        assertEquals(
                List.of(new Removal.Untagged(ImageReference.parse("app:1")), new Removal.Deleted(first.digest())),
                engine.images.remove("app:1", false, true, NOBODY));
        List<Removal> removed = engine.images.remove("app:2", false, true, NOBODY);
        assertEquals(new Removal.Deleted(second.digest()), removed.get(1));
        assertEquals(3, removed.size());
        engine.assertEmpty();
    }

    @Test
    void concurrentRemovalsOfOneImageAllEndWell() throws Exception {
        for (int round = 0; round < 5; round++) {
            importTar(TAR, "app:1");
            List<FutureTask<List<Removal>>> removals = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                var removal = new FutureTask<>(() -> engine.images.remove("app:1", false, true, NOBODY));
                removals.add(removal);
                Thread.ofVirtual().start(removal);
            }
            int done = 0;
            for (var removal : removals) {
                try {
                    assertEquals(3, removal.get().size());
                    done++;
                } catch (ExecutionException e) {
                    assertEquals("No such image: app:1", e.getCause().getMessage());
                }
            }
            assertEquals(1, done);
            engine.assertEmpty();
        }
    }

    @Test
    void damagedNamesCostTheNamesNotTheStart() throws IOException {
        ImageId id = importTar(TAR, "app:1");
        for (String damage : List.of("", "{", "[]", "{\"Repositories\":7}", "{\"Repositories\":{\"app\":null}}", "\0\0\0\0")) {
            engine.close();
            Files.writeString(root.resolve("image/overlay2/repositories.json"), damage);
            engine = Engine.open(root);
            assertEquals(List.of(id), engine.images.list().stream().map(Image::id).toList());
            assertThrows(DistributionException.NoSuchImage.class, () -> engine.images.resolve("app:1"));
            engine.images.tag(id, ImageReference.parse("app:1"));
        }
        assertEquals(6, engine.namesIn("quarantine/image/overlay2").size());
    }

    @Test
    void aDamagedImageIsSetAsideAndTheOthersStay() throws IOException {
        ImageId damaged = importTar(TAR, "damaged:1");
        ImageId intact = importTar(TAR, "intact:1");
        engine.close();
        Files.writeString(root.resolve("image/overlay2/imagedb/content/sha256/" + damaged.digest().hex()), "");
        engine = Engine.open(root);
        assertEquals(List.of(intact), engine.images.list().stream().map(Image::id).toList());
        assertThrows(DistributionException.NoSuchImage.class, () -> engine.images.resolve("damaged:1"));
        assertEquals(1, engine.namesIn("quarantine/image/overlay2/imagedb/content/sha256").size());
    }

    @Test
    void namesThatWeCannotReadSurvive() throws IOException {
        ImageId id = importTar(TAR, "app:1");
        engine.close();
        String sha512 = "x@sha512:" + "ab".repeat(64);
        Files.writeString(root.resolve("image/overlay2/repositories.json"), "{\"Repositories\":{\"x\":{\"" + sha512 + "\":\"" + id + "\"}}}");
        engine = Engine.open(root);
        engine.images.tag(id, ImageReference.parse("app:2"));
        assertTrue(Files.readString(root.resolve("image/overlay2/repositories.json")).contains(sha512));
    }

    @Test
    void whatACrashLeftHalfWrittenIsRemoved() throws IOException {
        engine.close();
        Path half = Files.writeString(root.resolve("image/overlay2/imagedb/content/sha256/.tmp-x123"), "{");
        Path halfNames = Files.writeString(root.resolve("image/overlay2/.tmp-repositories.json1"), "{");
        engine = Engine.open(root);
        assertTrue(Files.notExists(half));
        assertTrue(Files.notExists(halfNames));
        engine.assertEmpty();
    }

    private ImageId importTar(byte[] tar, String name) throws IOException {
        return engine.images.importTar(new ByteArrayInputStream(tar), Optional.of(ImageReference.parse(name)), name, List.of());
    }
}
