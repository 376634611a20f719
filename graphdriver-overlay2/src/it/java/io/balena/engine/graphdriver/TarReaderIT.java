package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class TarReaderIT {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private Path root;

    @BeforeEach
    void aDataRoot() {
        root = scratch.path().resolve("root");
    }

    @Test
    void anyPieceOfALayersTarIsReadAsItWas() throws Exception {
        Machine.sh("tar -C /usr -cf " + scratch + "/a.tar --numeric-owner share/perl5 bin/bash");
        byte[] tar = Files.readAllBytes(scratch.path().resolve("a.tar"));
        try (var store = LayerStore.open(root)) {
            TarMap map = map(store, tar);
            assertEquals(tar.length, map.size());
            var random = new SplittableRandom(1);
            try (TarReader reader = map.open()) {
                for (int i = 0; i < 600; i++) {
                    int from = random.nextInt(tar.length);
                    int length = Math.min(tar.length - from, random.nextInt(1 << random.nextInt(1, 20)));
                    byte[] read = new byte[length];
                    reader.read(from, read, 0, length);
                    assertArrayEquals(Arrays.copyOfRange(tar, from, from + length), read, from + " + " + length);
                }
                byte[] all = new byte[tar.length];
                reader.read(0, all, 0, all.length);
                assertArrayEquals(tar, all);
            }
        }
    }

    @Test
    void longHeadersAndWhatFollowsTheEndAreReadToo() throws Exception {
        byte[] trailer = new byte[3_000_000];
        new java.util.Random(1).nextBytes(trailer);
        byte[] tar = new TarBuilder().pax("comment=" + "c".repeat(100_000)).file("f", "content").raw(new byte[1024]).raw(trailer).unended();
        try (var store = LayerStore.open(root); TarReader reader = map(store, tar).open()) {
            for (int from = 0; from < tar.length; from += 99_999) {
                byte[] read = new byte[Math.min(50_000, tar.length - from)];
                reader.read(from, read, 0, read.length);
                assertArrayEquals(Arrays.copyOfRange(tar, from, from + read.length), read);
            }
        }
    }

    @Test
    void readingBeyondTheEndIsAnError() throws Exception {
        byte[] tar = new TarBuilder().file("f", "content").bytes();
        try (var store = LayerStore.open(root); TarReader reader = map(store, tar).open()) {
            assertThrows(EOFException.class, () -> reader.read(tar.length - 1, new byte[2], 0, 2));
            assertThrows(EOFException.class, () -> reader.read(-1, new byte[2], 0, 2));
            reader.read(tar.length, new byte[0], 0, 0);
        }
    }

    @Test
    void aFileThatIsGoneOrCutIsNamed() throws Exception {
        try (var store = LayerStore.open(root)) {
            Layer layer = add(store, new TarBuilder().folder("etc/").file("etc/gone", "content").file("etc/cut", "content").bytes());
            Path diff = Path.of(store.driverData(layer.chainId()).get("UpperDir"));
            Files.delete(diff.resolve("etc/gone"));
            Files.writeString(diff.resolve("etc/cut"), "con");
            try (TarReader reader = store.tar(layer.chainId()).orElseThrow().map().open()) {
                assertEquals("layer is damaged: etc/gone is missing",
                        assertThrows(IOException.class, () -> reader.read(1024, new byte[1], 0, 1)).getMessage());
                assertEquals("layer is damaged: etc/cut is shorter than recorded",
                        assertThrows(IOException.class, () -> reader.read(2048, new byte[1], 0, 1)).getMessage());
            }
        }
    }

    @Test
    void theLayersOfAnotherDataRootAreReadWithoutChangingIt() throws Exception {
        byte[] tar = new TarBuilder().file("f", "content").bytes();
        try (var store = LayerStore.open(root)) {
            ChainId chain = add(store, tar).chainId();
            Files.createDirectories(root.resolve("image/overlay2/layerdb/tmp/write-set-of-the-other-engine"));
            String before = Machine.sh("find " + root + " -printf '%p %s %T@ %A@\\n' | sort");
            var layers = new ReadOnlyLayers(root);
            try (var read = layers.tar(chain).orElseThrow().open()) {
                assertArrayEquals(tar, read.readAllBytes());
            }
            try (TarReader reader = layers.tar(chain).orElseThrow().map().open()) {
                byte[] read = new byte[tar.length];
                reader.read(0, read, 0, read.length);
                assertArrayEquals(tar, read);
            }
            assertEquals(before.replaceAll(" [0-9.]+\n", "\n"), Machine.sh("find " + root + " -printf '%p %s %T@ %A@\\n' | sort").replaceAll(" [0-9.]+\n", "\n"));
            assertTrue(layers.tar(new ChainId(Digest.of(new byte[1]))).isEmpty());
        }
        assertTrue(new ReadOnlyLayers(scratch.path().resolve("not-there")).tar(new ChainId(Digest.of(new byte[1]))).isEmpty());
    }

    @Test
    void theMapOfManyFilesTakesLittleMemory() throws Exception {
        var builder = new TarBuilder();
        for (int i = 0; i < 6_000; i++) builder.file("usr/lib/node_modules/package-" + i % 700 + "/lib/file-" + i + ".js", "module " + i);
        try (var store = LayerStore.open(root)) {
            TarMap map = map(store, builder.bytes());
            assertTrue(map.memory() < 6_000 * 80, "bytes: " + map.memory());
        }
    }

    private static TarMap map(LayerStore store, byte[] tar) throws IOException {
        return store.tar(add(store, tar).chainId()).orElseThrow().map();
    }

    private static Layer add(LayerStore store, byte[] tar) throws IOException {
        try (var staged = store.stage()) {
            staged.extract(new ByteArrayInputStream(tar));
            return staged.commit(Optional.empty());
        }
    }
}
