package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.ContainerLayer.Change;
import io.balena.engine.graphdriver.ContainerLayer.Change.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class LayerStoreIT {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private Path root;

    @BeforeEach
    void aDataRoot() {
        root = scratch.path().resolve("root");
    }

    @Test
    void aRealTreeIsExtractedAsTarDoesAndItsTarComesBackByteForByte() throws Exception {
        Machine.sh("tar -C /usr/share -cf " + scratch + "/a.tar --numeric-owner perl5 base-files doc/lib[a-g]* 2>/dev/null || true");
        try (var store = LayerStore.open(root)) {
            Layer layer = add(store, Files.newInputStream(scratch.path().resolve("a.tar")), Optional.empty());
            Machine.sh("mkdir " + scratch + "/x && tar -C " + scratch + "/x --numeric-owner -xf " + scratch + "/a.tar");
            assertEquals(Machine.sh(listing(scratch.path().resolve("x"))), Machine.sh(listing(diff(store, layer))));
            try (var tar = store.openTar(layer.chainId()); var original = Files.newInputStream(scratch.path().resolve("a.tar"))) {
                assertEquals(Digest.of(original.readAllBytes()), Digest.of(tar.readAllBytes()));
            }
            assertEquals(Files.size(scratch.path().resolve("a.tar")), store.tarSize(layer.chainId()));
            assertEquals(List.of(layer), store.release(layer.chainId()));
            assertEquals("", Machine.sh("ls -A " + root + "/overlay2/l " + root + "/image/overlay2/layerdb/sha256 | grep -v : || true").strip());
        }
    }

    @Test
    void aContainerWritesToItsOwnLayerAlone() throws Exception {
        try (var store = LayerStore.open(root)) {
            Layer base = add(store, tree("mkdir -p etc bin; echo one > etc/one; echo two > etc/two; echo x > bin/x"), Optional.empty());
            Layer top = add(store, tree("mkdir -p etc bin; : > etc/.wh.two; echo three > etc/three"), Optional.of(base.chainId()));
            ContainerLayer container = store.createContainerLayer("c1", Optional.of(top.chainId()));
            Path merged = container.mount();
            assertEquals(merged, container.mount());
            assertEquals("hostname\nhosts\nmtab\none\nresolv.conf\nthree\n", Machine.sh("ls " + merged + "/etc"));
            assertEquals(List.of(), container.changes());
            Files.writeString(merged.resolve("etc/new"), "12345");
            Files.delete(merged.resolve("bin/x"));
            assertEquals(List.of(new Change(Kind.MODIFIED, "/bin"), new Change(Kind.DELETED, "/bin/x"),
                    new Change(Kind.MODIFIED, "/etc"), new Change(Kind.ADDED, "/etc/new")), container.changes());
            assertEquals(5, container.size());
            try (var reopened = LayerStore.open(root)) {
                assertEquals(merged, reopened.containerLayer("c1").orElseThrow().mount());
            }
            byte[] diff = container.openDiff().readAllBytes();
            Files.write(scratch.path().resolve("diff.tar"), diff);
            assertEquals("bin/\nbin/.wh.x\netc/\netc/new\n", Machine.sh("tar -tf " + scratch + "/diff.tar"));
            container.unmount();
            assertFalse(Files.exists(merged));
            container.remove();
            assertTrue(store.containerLayer("c1").isEmpty());
            store.release(top.chainId());
            assertTrue(store.find(top.chainId()).isEmpty());
            assertTrue(store.find(base.chainId()).isPresent());
        }
    }

    @Test
    void layersAreMountedWhereTheStoreIsTold() throws Exception {
        Path mountPoints = scratch.path().resolve("mounts");
        String before;
        try (var store = LayerStore.open(root, mountPoints)) {
            Layer layer = add(store, new TarBuilder().file("f", "x").stream(), Optional.empty());
            ContainerLayer container = store.createContainerLayer("c", Optional.of(layer.chainId()));
            before = Machine.sh("cd " + root + " && find . ! -path '*/work*' | sort");
            Path mounted = container.mount();
            assertEquals(mountPoints.toRealPath(), mounted.getParent());
            assertEquals(mounted.toString(), container.driverData().get("MergedDir"));
            assertEquals("x", Files.readString(mounted.resolve("f")));
            assertEquals(before, Machine.sh("cd " + root + " && find . ! -path '*/work*' | sort"));
        }
        try (var store = LayerStore.open(root, mountPoints)) {
            store.containerLayer("c").orElseThrow().unmount();
            assertEquals("", Machine.sh("ls " + mountPoints));
        }
    }

    @Test
    void aMountThatDockerHasHiddenIsMadeAgain() throws Exception {
        try (var store = LayerStore.open(root)) {
            Layer layer = add(store, new TarBuilder().file("f", "x").stream(), Optional.empty());
            ContainerLayer container = store.createContainerLayer("c", Optional.of(layer.chainId()));
            Path hidden = container.mount();
            Machine.sh("mount --bind " + root + "/overlay2 " + root + "/overlay2 && mount --make-private " + root + "/overlay2");
            try {
                assertFalse(Files.exists(hidden.resolve("f")));
                assertEquals("x", Files.readString(container.mount().resolve("f")));
                container.unmount();
                assertFalse(Files.exists(hidden.resolve("f")));
            } finally {
                Machine.sh("umount " + root + "/overlay2");
            }
            assertEquals("x", Files.readString(container.mount().resolve("f")));
            container.unmount();
            assertFalse(Files.exists(hidden));
        }
    }

    @Test
    void anImageMayHave125LayersThoughTheirNamesDoNotFitIntoOneMount() throws Exception {
        try (var store = LayerStore.open(root)) {
            Optional<ChainId> top = Optional.empty();
            for (int i = 0; i < 125; i++) {
                Layer layer = add(store, new TarBuilder().file("f" + i, "x").file("last", "" + i).stream(), top);
                top.ifPresent(below -> release(store, below));
                top = Optional.of(layer.chainId());
            }
            ChainId all = top.orElseThrow();
            assertThrows(InvalidLayerException.class, () -> add(store, new TarBuilder().file("a", "b").stream(), Optional.of(all)));
            ContainerLayer container = store.createContainerLayer("deep", top);
            Path merged = container.mount();
            assertEquals("124", Files.readString(merged.resolve("last")));
            assertEquals("x", Files.readString(merged.resolve("f0")));
            assertEquals(125, Path.of(container.driverData().get("LowerDir")).toString().split(":").length - 1);
            assertEquals(0, store.release(all).size());
            container.remove();
            assertEquals("l", Machine.sh("ls " + root + "/overlay2").strip());
            assertEquals("", Machine.sh("ls " + root + "/overlay2/l").strip());
        }
    }

    @Test
    void theDataRootMayHaveAnyName() throws Exception {
        try (var store = LayerStore.open(scratch.path().resolve("a:b,c d\\e"))) {
            Layer layer = add(store, new TarBuilder().file("f", "x").stream(), Optional.empty());
            ContainerLayer container = store.createContainerLayer("c", Optional.of(layer.chainId()));
            assertEquals("x", Files.readString(container.mount().resolve("f")));
            assertEquals(container.mount(), container.mount());
            container.remove();
        }
    }

    @Test
    void aLayerIsFoundOnWhicheverLayersItLies() throws Exception {
        try (var store = LayerStore.open(root)) {
            Layer base = add(store, new TarBuilder().file("base", "x").stream(), Optional.empty());
            Layer top = add(store, new TarBuilder().file("top", "y").stream(), Optional.of(base.chainId()));
            release(store, base.chainId());
            assertEquals(Optional.of(top), store.retainAny(top.diffId()));
            store.release(top.chainId());
            assertTrue(store.find(top.chainId()).isPresent(), "still retained by whoever found it");
            assertEquals(2, store.release(top.chainId()).size());
            assertEquals(Optional.empty(), store.retainAny(top.diffId()));
        }
    }

    @Test
    void theSameLayerCommittedByManyAtOnceIsOneLayer() throws Exception {
        try (var store = LayerStore.open(root); var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Layer base = add(store, new TarBuilder().file("base", "x").stream(), Optional.empty());
            Callable<Layer> commit = () -> add(store, new TarBuilder().file("a", "b".repeat(100_000)).stream(), Optional.of(base.chainId()));
            var layers = new HashSet<Layer>();
            for (var result : threads.invokeAll(Collections.nCopies(6, commit))) layers.add(result.get());
            assertEquals(1, layers.size());
            assertEquals(3, Files.list(root.resolve("overlay2")).count(), "base, the one, and l");
            ChainId chain = layers.iterator().next().chainId();
            for (int i = 0; i < 5; i++) assertEquals(List.of(), store.release(chain));
            assertEquals(List.copyOf(layers), store.release(chain));
            assertEquals(List.of(base), store.release(base.chainId()));
        }
    }

    @Test
    void layersOfOneImageMayBeStagedInAnyOrder() throws Exception {
        try (var store = LayerStore.open(root); var upper = store.stage(); var lower = store.stage()) {
            upper.extract(new TarBuilder().file("upper", "x").stream());
            lower.extract(new TarBuilder().member("/", '5', "", new byte[0], h -> TarBuilder.put(h, 100, "0000711")).file("lower", "y").stream());
            var missing = new ChainId(Digest.of(new byte[0]));
            assertThrows(NoSuchLayerException.class, () -> upper.commit(Optional.of(missing)));
            Layer below = lower.commit(Optional.empty());
            Layer above = upper.commit(Optional.of(below.chainId()));
            assertEquals("711", Machine.sh("stat -c %a " + diff(store, above)).strip(), "the root of a layer is as its parent's");
        }
    }

    @Test
    void aLayerThatIsNotCommittedIsGone() throws Exception {
        try (var store = LayerStore.open(root)) {
            String before = Machine.sh("cd " + root + "; find . | sort");
            try (var staged = store.stage()) {
                staged.extract(new TarBuilder().file("a", "b").stream());
            }
            assertEquals(before, Machine.sh("cd " + root + "; find . | sort"));
        }
    }

    @Test
    void anExtractionThatIsInterruptedLeavesNothing() throws Exception {
        try (var store = LayerStore.open(root)) {
            String before = Machine.sh("cd " + root + "; find . | sort");
            var failure = new FutureTask<>(() -> {
                try (var staged = store.stage()) {
                    byte[] tar = new TarBuilder().file("a", "b".repeat(10_000_000)).bytes();
                    return assertThrows(IOException.class, () -> staged.extract(new java.io.ByteArrayInputStream(tar) {
                        @Override
                        public synchronized int read(byte[] to, int offset, int length) {
                            if (pos > 2_000_000) Thread.currentThread().interrupt();
                            return super.read(to, offset, Math.min(length, 100_000));
                        }
                    }));
                }
            });
            Thread.ofVirtual().start(failure);
            assertTrue(failure.get() instanceof java.io.InterruptedIOException, failure.get().toString());
            assertEquals(before, Machine.sh("cd " + root + "; find . | sort"));
        }
    }

    @Test
    void pagesOfBigFilesAreGivenBack() throws Exception {
        Machine.needs("fincore");
        try (var store = LayerStore.open(root)) {
            Layer layer = add(store, new TarBuilder().file("big", "b".repeat(8_000_000)).file("small", "s").stream(), Optional.empty());
            assertEquals("0", Machine.sh("fincore -n -b -o RES " + diff(store, layer) + "/big").strip());
        }
    }

    @Test
    void aTreeDeeperThanThereAreDescriptorsIsRemoved() throws Exception {
        Machine.needs("python3");
        Machine.sh("mkdir " + scratch + "/deep; cd " + scratch + "/deep; python3 -c 'import os\nfor i in range(1500):\n os.mkdir(\"d\"); os.chdir(\"d\"); open(\"f\",\"w\").close()'");
        TreeRemoval.remove(scratch.path().resolve("deep"));
        assertFalse(Files.exists(scratch.path().resolve("deep")));
    }

    private static void release(LayerStore store, ChainId chain) {
        try {
            assertEquals(List.of(), store.release(chain));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private InputStream tree(String commands) throws IOException {
        return Machine.stream("cd $(mktemp -d -p " + scratch + "); " + commands + "; tar -c .");
    }

    private static Layer add(LayerStore store, InputStream tar, Optional<ChainId> parent) throws IOException {
        try (tar; var staged = store.stage()) {
            staged.extract(tar);
            return staged.commit(parent);
        }
    }

    private static Path diff(LayerStore store, Layer layer) {
        return Path.of(store.driverData(layer.chainId()).get("UpperDir"));
    }

    private static String listing(Path root) {
        return "cd " + root + " && find . -mindepth 1 -printf '%P %y %m %U %G %n %T@ %l %s\\n' | sed -E 's/( d .*) [0-9]+$/\\1/' | sort;"
                + " find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum";
    }
}
