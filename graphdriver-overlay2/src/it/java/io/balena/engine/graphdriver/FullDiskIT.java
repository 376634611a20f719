package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// A data root on a small ext4 that fills up at many different points: each time the error says so, nothing is left, and after
/// room was made the same layer goes in.
class FullDiskIT {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    @Test
    void aLayerThatDoesNotFitLeavesNothing() throws IOException {
        Path disk = disk("-N 400");
        byte[] tar = tar(60, 100_000);
        try (var store = LayerStore.open(disk.resolve("root"))) {
            String before = used(disk);
            for (int room = 100; room <= 5700; room += 400) {
                fillUpTo(disk, room);
                fails(store, tar);
                Machine.sh("rm " + disk + "/filler");
                assertEquals(before, used(disk), "with room for " + room + " KiB");
            }
            fits(store, tar);
        }
    }

    @Test
    void aLayerWithMoreFilesThanTheDiskTakesLeavesNothing() throws IOException {
        Path disk = disk("-N 128");
        try (var store = LayerStore.open(disk.resolve("root"))) {
            String before = used(disk);
            fails(store, tar(300, 10));
            assertEquals(before, used(disk));
            fits(store, tar(20, 10));
        }
    }

    @Test
    void aDiskThatFillsUpBeforeTheCommitLeavesNothing() throws IOException {
        Path disk = disk("-N 400");
        byte[] tar = tar(10, 100_000);
        try (var store = LayerStore.open(disk.resolve("root"))) {
            String before = used(disk);
            try (var staged = store.stage()) {
                staged.extract(new ByteArrayInputStream(tar));
                fill(disk);
                assertNoSpace(assertThrows(IOException.class, () -> staged.commit(Optional.empty())));
            }
            Machine.sh("rm -f " + disk + "/filler " + disk + "/n*");
            assertEquals(before, used(disk));
            fill(disk);
            assertNoSpace(assertThrows(IOException.class, () -> store.createContainerLayer("c", Optional.empty())));
            Machine.sh("rm -f " + disk + "/filler " + disk + "/n*");
            assertEquals(before, used(disk));
            fits(store, tar);
        }
    }

    private void fails(LayerStore store, byte[] tar) throws IOException {
        try (var staged = store.stage()) {
            assertNoSpace(assertThrows(IOException.class, () -> {
                staged.extract(new ByteArrayInputStream(tar));
                staged.commit(Optional.empty());
            }));
        } catch (IOException e) {
            assertNoSpace(e); // no room even to begin
        }
    }

    private static void assertNoSpace(IOException e) {
        assertTrue(e.getMessage().contains("No space left on device"), e.toString());
    }

    private void fits(LayerStore store, byte[] tar) throws IOException {
        try (var staged = store.stage()) {
            staged.extract(new ByteArrayInputStream(tar));
            Layer layer = staged.commit(Optional.empty());
            try (var again = store.openTar(layer.chainId())) {
                assertArrayEquals(tar, again.readAllBytes());
            }
            store.release(layer.chainId());
        }
    }

    private Path disk(String options) throws IOException {
        Machine.needs("mkfs.ext4");
        Path mount = scratch.path().resolve("disk");
        Machine.sh("truncate -s 12M " + scratch + "/image; mkfs.ext4 -q -m 0 -O ^has_journal " + options + " " + scratch + "/image; mkdir " + mount
                + "; mount -o loop " + scratch + "/image " + mount);
        return mount;
    }

    /// Until there is neither a block nor an inode.
    private static void fill(Path disk) throws IOException {
        Machine.sh("cd " + disk + "; sync -f .; i=0; while touch n$i 2>/dev/null; do i=$((i+1)); done; dd if=/dev/zero of=filler bs=4k 2>/dev/null || true; sync -f .;"
                + " dd if=/dev/zero of=n0 bs=1k 2>/dev/null || true; sync -f .");
    }

    private static void fillUpTo(Path disk, int kibibytes) throws IOException {
        Machine.sh("sync -f " + disk + "; free=$(df -k --output=avail " + disk + " | tail -1); n=$((free - " + kibibytes + "));"
                + " dd if=/dev/zero of=" + disk + "/filler bs=1k count=$n 2>/dev/null; sync -f " + disk);
    }

    /// Inodes and the names in the store; blocks may differ by what folders keep after they have grown.
    private static String used(Path disk) throws IOException {
        return Machine.sh("sync -f " + disk + "; df --output=iused " + disk + " | tail -1; cd " + disk + "; find . | LC_ALL=C sort");
    }

    private static byte[] tar(int files, int size) {
        var random = new Random(3);
        var tar = new TarBuilder();
        for (int i = 0; i < files; i++) {
            var content = new StringBuilder();
            for (int j = 0; j < size; j++) content.append((char) ('a' + random.nextInt(26)));
            tar.file("f" + i, content.toString());
        }
        return tar.bytes();
    }
}
