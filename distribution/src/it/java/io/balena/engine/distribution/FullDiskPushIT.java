package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Pushing from a disk that has no room left, which frees none, but is often what is done before images are removed. Docker fails at
/// that: it mounts what it pushes.
@Timeout(120)
class FullDiskPushIT {
    private static final int LAYERS = 3;

    @TempDir
    Path folder;

    private final TestImage image = TestImage.ofLayers(LAYERS, Compression.GZIP);
    private final Engine.Messages messages = new Engine.Messages();

    @Test
    void whatTheRegistryHasAcceptedIsPushedAlthoughItCannotBeNoted() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        assumeTrue(Files.isExecutable(Path.of("/usr/sbin/mkfs.ext4")), "needs mkfs.ext4");
        try (SmallDisk disk = SmallDisk.mount(folder, 12);
                Engine engine = Engine.open(disk.path().resolve("root"));
                ScriptedRegistry registry = new ScriptedRegistry()) {
            ImageId id;
            try (ScriptedRegistry source = new ScriptedRegistry()) {
                image.publish(source, "made", "1", Manifest.OCI_MANIFEST);
                id = engine.pull(source.host() + "/made:1");
            }
            ImageReference name = ImageReference.parse(registry.host() + "/app:1");
            engine.images.tag(id, name);
            Path filler = disk.path().resolve("filler");
            fill(filler);

            engine.push(name.toString(), messages);
            Digest digest = Digest.of(registry.manifest("app", "1").orElseThrow());
            assertEquals(LAYERS, messages.count(": Pushed"));
            assertEquals(1, messages.count("aux: 1 " + digest), "as if nothing had happened");
            assertFalse(engine.images.references(id).contains(name.withDigest(digest)), "there was no room to note it");

            Files.delete(filler);
            engine.push(name.toString(), messages);
            assertTrue(engine.images.references(id).contains(name.withDigest(digest)));
        }
    }

    private static void fill(Path file) throws IOException {
        byte[] block = new byte[4096];
        Arrays.fill(block, (byte) 'x');
        try (var out = Files.newOutputStream(file)) {
            while (true) out.write(block);
        } catch (IOException e) {
            assertTrue(e.getMessage().contains("No space left on device"), e.getMessage());
        }
    }
}
