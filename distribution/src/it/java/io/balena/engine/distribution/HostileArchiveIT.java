package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.Digest;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.SequenceInputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Archives that are broken, lie, or mean harm, and clients that leave: each is refused in one line, and nothing is left.
@Timeout(120)
class HostileArchiveIT {
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

    @Test
    void aBrokenArchiveIsRefusedInOneLineAndLeavesNothing() throws IOException {
        String config = image.id().digest().hex() + ".json";
        refused("invalid archive: does not contain a manifest.json or index.json", TestArchive.empty().tar());
        refused("invalid archive: does not contain a manifest.json or index.json", new byte[0]);
        refused("invalid archive: it was made by a Docker older than 1.10, and has no manifest.json",
                TestArchive.docker(image).without("manifest.json").with("repositories", "{}").tar());
        refused("Error processing tar file: unexpected EOF", "garbage".getBytes(UTF_8));
        refused("Error processing tar file: archive/tar: invalid tar header: checksum", "garbage".repeat(1000).getBytes(UTF_8));
        byte[] packed = CompressionTest.pack(Compression.GZIP, TestArchive.docker(image).tar());
        refused("Error processing tar file: gzip: unexpected EOF", Arrays.copyOf(packed, 40_000));
        refused("invalid manifest.json: not a list of images", TestArchive.docker(image).with("manifest.json", "{}").tar());
        refused("invalid manifest.json: an image without Config", TestArchive.docker(image).with("manifest.json", "[{}]").tar());
        refused("open " + config + ": no such file or directory", TestArchive.docker(image).without(config).tar());
        refused("open " + TestArchive.docker(image).layerPath(1) + ": no such file or directory",
                TestArchive.docker(image).without(TestArchive.docker(image).layerPath(1)).tar());
        refused("invalid tag \"app\"", TestArchive.docker(image, "app").tar());
        refused("invalid reference format: repository name must be lowercase", TestArchive.docker(image, "App:1").tar());
        refused("refusing to create an ambiguous tag using digest algorithm as name", TestArchive.docker(image, "sha256:1").tar());
        byte[] layer = image.layers().getFirst().tar();
        refused(config + " is a layer, not a document", TestArchive.docker(image).with(config, layer).tar());
        TestArchive badLayer = TestArchive.docker(image);
        refused(badLayer.layerPath(0) + " is not a layer", badLayer.with(badLayer.layerPath(0), "{}").tar());
        TestArchive cutLayer = TestArchive.docker(image);
        cutLayer.with(cutLayer.layerPath(0), Arrays.copyOf(layer, 9_000));
        refused(cutLayer.layerPath(0) + " is not a layer: unexpected EOF", cutLayer.tar());
    }

    @Test
    void anImageThatIsNotWhatItsConfigurationSaysIsRefusedAndLeavesNothing() throws IOException {
        TestArchive swapped = TestArchive.docker(image);
        byte[] first = swapped.file(swapped.layerPath(0));
        swapped.with(swapped.layerPath(0), swapped.file(swapped.layerPath(1))).with(swapped.layerPath(1), first);
        String asWas = "expected \"" + image.layers().get(0).diffId() + "\", got \"" + image.layers().get(1).diffId() + "\"";
        refused("invalid diffID for layer 0: " + asWas, swapped.tar());
        TestArchive short2 = TestArchive.docker(image);
        short2.item().withArray("Layers").remove(2);
        refused("invalid manifest, layers length mismatch: expected 2, got 3", short2.manifest().tar());
        refused("cannot load windows image on linux", TestArchive.docker(changed(image -> image.config().put("os", "windows"))).tar());
        TestImage delta = changed(image -> image.config().withObject("config").putObject("Labels").put("io.resin.delta.base", "x")
                .put("io.resin.delta.config", new String(image.configJson(), UTF_8)));
        refused("parsing base image \"x\": unsupported digest algorithm: x", TestArchive.docker(delta).tar());
        refused("max depth exceeded: the image has 126 layers", TestArchive.docker(deep()).tar());
        String config = image.id().digest().hex() + ".json";
        refused("invalid image configuration: not a JSON object", TestArchive.docker(image).with(config, "[]").tar());
        refused("invalid rootfs in image configuration", TestArchive.docker(image).with(config, "{\"rootfs\":7}").tar());
    }

    @Test
    void aBlobThatIsNotWhatItsNameSaysIsRefused() throws IOException {
        for (Compression compression : List.of(Compression.NONE, Compression.GZIP, Compression.ZSTD)) {
            TestImage packed = TestImage.ofLayers(2, compression);
            String blob = "blobs/sha256/" + packed.blob(0).hex();
            byte[] other = packed.layers().get(1).blob();
            byte[] archive = TestArchive.oci(packed, "app:1").with(blob, other).tar();
            refused("archive is corrupt: the digest of " + blob + " is " + Digest.of(other), archive);
        }
        String config = "blobs/sha256/" + image.id().digest().hex();
        refused("archive is corrupt: the digest of " + config + " is " + Digest.of("{}".getBytes(UTF_8)),
                TestArchive.oci(image, "app:1").with(config, "{}").tar());
        refused("content digest " + image.id() + ": not found", TestArchive.oci(image, "app:1").without(config).tar());
        String layer = "blobs/sha256/" + image.blob(1).hex();
        refused("open " + layer + ": no such file or directory", TestArchive.oci(image, "app:1").without(layer).tar());
    }

    @Test
    void pathsAndLinksLeadNowhereOutOfTheArchive() throws IOException {
        TestArchive archive = TestArchive.docker(image);
        for (String path : List.of("../../../../../../etc/passwd", "/etc/passwd")) {
            archive.item().put("Config", path);
            refused("open " + path + ": no such file or directory", archive.manifest().tar());
            refused("open link: no such file or directory", linked("link", path));
        }
        TestArchive circle = TestArchive.docker(image).with("manifest.json", "[{\"Config\":\"a\"}]").link("a", "b").link("b", "a");
        refused("open a: too many levels of symbolic links", circle.tar());
    }

    @Test
    void memoryIsNotForTheArchiveToTake() throws IOException {
        String huge = "[" + " ".repeat(5_000_000) + "]";
        refused("manifest.json is neither a layer nor a document: it is larger than 4194304 bytes",
                TestArchive.docker(image).with("manifest.json", huge).tar());
        TestArchive many = TestArchive.docker(image);
        for (int i = 0; i < 3; i++) many.with("document-" + i, "{" + " ".repeat(4_000_000) + "}");
        refused("archive has more than 8388608 bytes of names and documents", many.tar());
        TestArchive names = TestArchive.empty();
        for (int i = 0; i < 20_000; i++) names.with("a-name-that-is-about-as-long-as-is-allowed-" + "x".repeat(40) + i, "");
        refused("archive has more than 8388608 bytes of names and documents", names.tar());
        byte[] deep = TestArchive.docker(image).with("manifest.json", "[".repeat(200_000)).tar();
        refused("invalid manifest.json: Document nesting depth (101) exceeds the maximum allowed"
                + " (100, from `StreamReadConstraints.getMaxNestingDepth()`)", deep);
    }

    @Test
    void anArchiveCutAnywhereLeavesNothing() throws IOException {
        byte[] whole = TestArchive.docker(image, "app:1").tar();
        // The last thing before the end is the manifest, padded to a record.
        for (int length = 0; length < whole.length - 11_000; length += 4_999) {
            byte[] cut = Arrays.copyOf(whole, length);
            assertThrows(DistributionException.InvalidContent.class, () -> load(cut), "cut at " + length);
        }
        engine.assertEmpty();
    }

    @Test
    void aClientThatLeavesLeavesNothing() throws Exception {
        byte[] whole = TestArchive.docker(image, "app:1").tar();
        for (int length : new int[] {700, 25_000, whole.length - 12_000}) {
            var leaving = new InputStream() {
                @Override
                public int read() throws IOException {
                    throw new IOException("the client has left");
                }
            };
            InputStream broken = new SequenceInputStream(new ByteArrayInputStream(whole, 0, length), leaving);
            IOException e = assertThrows(IOException.class, () -> loader.load(broken, Optional.empty(), new Engine.Messages()));
            assertEquals("the client has left", e.getMessage());
            engine.assertEmpty();
        }
    }

    @Test
    void anInterruptedLoadLeavesNothing() throws Exception {
        var pipe = new PipedOutputStream();
        var archive = new PipedInputStream(pipe, 1 << 20);
        var load = new FutureTask<>(() -> loader.load(archive, Optional.empty(), new Engine.Messages()));
        Thread thread = Thread.ofVirtual().start(load);
        pipe.write(TestArchive.docker(image, "app:1").tar(), 0, 40_000);
        while (engine.namesIn("image/overlay2/layerdb/tmp").isEmpty() && !load.isDone() && archive.available() > 0) {
            LockSupport.parkNanos(5_000_000);
        }
        thread.interrupt();
        Throwable failure = assertThrows(ExecutionException.class, load::get).getCause();
        assertTrue(failure instanceof InterruptedIOException, failure.toString());
        engine.assertEmpty();
    }

    private List<ImageLoader.Loaded> load(byte[] archive) throws IOException {
        return loader.load(new ByteArrayInputStream(archive), Optional.empty(), new Engine.Messages());
    }

    private void refused(String message, byte[] archive) throws IOException {
        Exception e = assertThrows(Exception.class, () -> load(archive));
        assertEquals(message, e.getMessage());
        engine.assertEmpty();
    }

    private byte[] linked(String path, String target) {
        return TestArchive.docker(image).with("manifest.json", "[{\"Config\":\"" + path + "\"}]").link(path, target).tar();
    }

    private static TestImage changed(Consumer<TestImage> change) {
        TestImage image = TestImage.ofLayers(1, Compression.NONE);
        change.accept(image);
        return image;
    }

    private static TestImage deep() {
        TestImage image = TestImage.empty();
        byte[] tar = TestImage.tar(Map.of("x", new byte[1]));
        for (int i = 0; i < 126; i++) image.addTar(tar, Compression.NONE);
        return image;
    }
}
