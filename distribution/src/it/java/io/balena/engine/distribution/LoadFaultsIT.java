package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Loading while the disk fills up, and while the daemon is killed.
@Timeout(180)
class LoadFaultsIT {
    @TempDir
    Path folder;

    private Path disk;

    @AfterEach
    void unmount() throws IOException {
        if (disk != null) sh("umount -l " + disk);
    }

    @Test
    void anImageThatDoesNotFitLeavesNothingAndTheNextOneLoads() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        assumeTrue(Files.isExecutable(Path.of("/usr/sbin/mkfs.ext4")), "needs mkfs.ext4");
        disk = Files.createDirectory(folder.resolve("disk"));
        String file = folder + "/image";
        sh("truncate -s 12M " + file + "; mkfs.ext4 -q -m 0 -N 400 " + file + "; mount -o loop " + file + " " + disk);
        TestImage image = TestImage.empty();
        for (int i = 0; i < 4; i++) image.add(Map.of("file-" + i, TestImage.noise(700_000, i)), Compression.NONE);
        byte[] docker = TestArchive.docker(image, "app:1").tar();
        byte[] oci = TestArchive.oci(image, "app:2").tar();
        try (Engine engine = Engine.open(disk.resolve("root"))) {
            var loader = engine.loader();
            int failed = 0;
            for (int room = 0; room <= 3400; room += 200) {
                sh("sync -f " + disk + "; free=$(df -k --output=avail " + disk + " | tail -1); n=$((free - " + room + ")); [ $n -le 0 ] ||"
                        + " dd if=/dev/zero of=" + disk + "/filler bs=1k count=$n 2>/dev/null || true; sync -f " + disk);
                byte[] archive = room % 400 == 0 ? docker : oci;
                try {
                    loader.load(new ByteArrayInputStream(archive), Optional.empty(), new Engine.Messages());
                    engine.images.remove(image.id().toString(), true, true, _ -> List.of());
                } catch (IOException e) {
                    failed++;
                    assertTrue(e.getMessage().contains("No space left on device"), e.toString());
                }
                sh("rm -f " + disk + "/filler");
                engine.assertEmpty();
            }
            assertTrue(failed > 8, failed + " failures");
            var loaded = loader.load(new ByteArrayInputStream(docker), Optional.empty(), new Engine.Messages());
            assertEquals(image.id(), loaded.getFirst().id());
        }
    }

    @Test
    void killedAtAnyMomentTheStoreIsWholeAndWhatWasSaidToBeThereIs() throws Exception {
        TestImage image = TestImage.ofLayers(8, Compression.GZIP);
        Path archive = folder.resolve("archive.tar");
        Files.write(archive, TestArchive.docker(image, "app:1").tar());
        for (int round = 0; round < 10; round++) {
            Path root = folder.resolve("root-" + round);
            Engine.open(root).close();
            Path log = folder.resolve("log-" + round);
            Process child = loadInChild(root, archive, log);
            while (child.isAlive() && Files.readString(log).lines().count() < round) LockSupport.parkNanos(1_000_000);
            child.destroyForcibly();
            child.onExit().join();
            try (Engine engine = Engine.open(root)) {
                boolean told = Files.readString(log).contains("loaded");
                if (told) assertEquals(1, engine.images.list().size());
                for (Image found : engine.images.list()) {
                    assertEquals(image.id(), found.id());
                    assertEquals(160_000, found.size());
                }
                engine.layers.removeUnused(Instant.MAX);
                assertEquals(List.of(), engine.namesIn("image/overlay2/layerdb/tmp"));
                assertEquals(engine.namesIn("image/overlay2/layerdb/sha256").size() + 1, engine.namesIn("overlay2").size());
                try (InputStream again = Files.newInputStream(archive)) {
                    engine.loader().load(again, Optional.empty(), new Engine.Messages());
                }
                assertEquals(9, engine.namesIn("overlay2").size());
                assertEquals(image.id(), engine.images.resolve("app:1").id());
            }
        }
    }

    private static Process loadInChild(Path root, Path archive, Path log) throws IOException {
        return new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin/java").toString(), "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), Child.class.getName(),
                root.toString(), archive.toString()).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    }

    /// The one that is killed. Says every message on a line of its own.
    static final class Child {
        public static void main(String[] arguments) throws IOException {
            Engine engine = Engine.open(Path.of(arguments[0]));
            try (InputStream archive = Files.newInputStream(Path.of(arguments[1]))) {
                engine.loader().load(archive, Optional.empty(), new Progress() {
                    @Override
                    public void status(String id, String status) {}

                    @Override
                    public void advance(String id, String status, long current, long total) {
                        System.out.println(id + ": " + status);
                    }
                });
            }
            System.out.println("loaded");
        }
    }

    private static void sh(String command) throws IOException {
        Process process = new ProcessBuilder("sh", "-ec", command).inheritIO().start();
        try {
            assertEquals(0, process.waitFor(), command);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }
}
