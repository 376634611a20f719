package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Data roots as power cuts, other engines and bad disks leave them: opening never fails, and never deletes what it cannot
/// explain.
class RecoveryIT {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private Path root;
    private Path layerdb;
    private Layer base;
    private Layer top;
    private Path baseFiles;
    private Path topFiles;

    @BeforeEach
    void twoLayersAndAContainer() throws IOException {
        root = scratch.path().resolve("root");
        layerdb = root.resolve("image/overlay2/layerdb");
        try (var store = LayerStore.open(root)) {
            base = add(store, new TarBuilder().file("base", "1"), Optional.empty());
            top = add(store, new TarBuilder().file("top", "2"), Optional.of(base.chainId()));
            baseFiles = Path.of(store.driverData(base.chainId()).get("UpperDir")).getParent();
            topFiles = Path.of(store.driverData(top.chainId()).get("UpperDir")).getParent();
            ContainerLayer container = store.createContainerLayer("c", Optional.of(top.chainId()));
            Files.writeString(container.mount().resolve("data"), "precious");
            container.unmount();
        }
    }

    @Test
    void aWholeStoreIsOpenedAsItWas() throws IOException {
        String before = everything();
        try (var store = LayerStore.open(root)) {
            assertEquals(Optional.of(base), store.find(base.chainId()));
            assertEquals(Optional.of(top), store.find(top.chainId()));
            assertTrue(store.containerLayer("c").isPresent());
            assertEquals(List.of(), store.removeUnused(java.time.Instant.MAX));
        }
        assertEquals(before, everything());
    }

    @Test
    void aContainerWhoseDescriptionIsDamagedKeepsItsData() throws IOException {
        Files.writeString(layerdb.resolve("mounts/c/mount-id"), ""); // as Docker leaves it after a power cut
        try (var store = LayerStore.open(root)) {
            assertTrue(store.containerLayer("c").isEmpty());
            assertTrue(store.find(top.chainId()).isPresent());
        }
        assertEquals("precious", Machine.sh("cat " + root + "/quarantine/overlay2/*/diff/data"));
        assertTrue(Files.exists(root.resolve("quarantine/image/overlay2/layerdb/mounts/c/parent")));
    }

    @Test
    void aDamagedLayerTakesThoseOnTopOfItAlong() throws IOException {
        Files.writeString(layerdb.resolve("sha256/" + base.chainId().digest().hex() + "/diff"), "sha256:");
        try (var store = LayerStore.open(root)) {
            assertTrue(store.find(base.chainId()).isEmpty());
            assertTrue(store.find(top.chainId()).isEmpty());
            assertTrue(store.containerLayer("c").isEmpty());
            Layer again = add(store, new TarBuilder().file("base", "1"), Optional.empty());
            assertEquals(base, again);
        }
        assertEquals("precious2", Machine.sh("cat " + root + "/quarantine/overlay2/*/diff/data " + root + "/quarantine/overlay2/*/diff/top"));
    }

    @Test
    void aLayerThatClaimsToBeAnotherIsNotTaken() throws IOException {
        Files.writeString(layerdb.resolve("sha256/" + top.chainId().digest().hex() + "/parent"), top.chainId().toString());
        try (var store = LayerStore.open(root)) {
            assertTrue(store.find(top.chainId()).isEmpty());
            assertTrue(store.find(base.chainId()).isPresent());
        }
    }

    @Test
    void aFolderThatNobodyRefersToIsKeptAside() throws IOException {
        String id = "ab".repeat(32);
        Machine.sh("mkdir -p " + root + "/overlay2/" + id + "/diff; echo x > " + root + "/overlay2/" + id + "/diff/x; mkdir " + root + "/overlay2/other");
        LayerStore.open(root).close();
        assertTrue(Files.exists(root.resolve("quarantine/overlay2/" + id + "/diff/x")));
        assertTrue(Files.exists(root.resolve("overlay2/other")), "not of our making, and not in our way");
    }

    @Test
    void whatBuildKitMayOwnIsLeftAlone() throws IOException {
        String id = "ab".repeat(32);
        Machine.sh("mkdir -p " + root + "/overlay2/" + id + "/diff " + root + "/buildkit");
        LayerStore.open(root).close();
        assertTrue(Files.exists(root.resolve("overlay2/" + id + "/diff")));
    }

    @Test
    void anUnfinishedWriteSetOfBalenaEngineIsRemovedWithItsContent() throws IOException {
        String before = everything();
        String id = "cd".repeat(32);
        Machine.sh("mkdir -p " + root + "/overlay2/" + id + "/diff " + layerdb + "/tmp/write-set-123; printf " + id + " > " + layerdb + "/tmp/write-set-123/cache-id;"
                + " printf ABCDEFGHIJKLMNOPQRSTUVWXYZ > " + root + "/overlay2/" + id + "/link; ln -s ../" + id + "/diff " + root + "/overlay2/l/ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        LayerStore.open(root).close();
        assertEquals(before, everything());
    }

    @Test
    void aRemovalThatWasCutShortIsCompleted() throws IOException {
        try (var store = LayerStore.open(root)) {
            assertTrue(store.retain(top.chainId()), "by an image");
            store.containerLayer("c").orElseThrow().remove();
        }
        String hex = top.chainId().digest().hex();
        Files.move(layerdb.resolve("sha256/" + hex), layerdb.resolve("sha256/" + hex + "-123456-removing"));
        try (var store = LayerStore.open(root)) {
            assertTrue(store.find(top.chainId()).isEmpty());
            assertFalse(Files.exists(topFiles));
            assertEquals(top, add(store, new TarBuilder().file("top", "2"), Optional.of(base.chainId())));
        }
        assertEquals(3, Files.list(root.resolve("overlay2")).count(), "two layers, and l");
    }

    @Test
    void aRemovalNeverTouchesWhatIsInUse() throws IOException {
        Machine.sh("mkdir " + layerdb + "/sha256/x-removing " + layerdb + "/tmp/write-set-1; cp " + layerdb + "/sha256/" + base.chainId().digest().hex()
                + "/cache-id " + layerdb + "/sha256/x-removing; cp " + layerdb + "/mounts/c/mount-id " + layerdb + "/tmp/write-set-1");
        LayerStore.open(root).close();
        assertTrue(Files.exists(baseFiles.resolve("diff/base")));
        try (var store = LayerStore.open(root)) {
            assertEquals("precious", Files.readString(store.containerLayer("c").orElseThrow().mount().resolve("data")));
        }
    }

    @Test
    void aLostShortNameIsMadeAgain() throws IOException {
        Machine.sh("rm " + root + "/overlay2/l/*; ln -s ../nowhere/diff " + root + "/overlay2/l/DANGLING");
        try (var store = LayerStore.open(root)) {
            assertEquals("1", Files.readString(store.containerLayer("c").orElseThrow().mount().resolve("base")));
        }
        assertFalse(Files.isSymbolicLink(root.resolve("overlay2/l/DANGLING")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"truncate -s 0", "rm", "sh -c 'head -c 26 /dev/zero > $0'"})
    void shortNamesThatAreLostAreMadeAgainForAllThatLieAbove(String damage) throws IOException {
        Machine.sh("for f in " + root + "/overlay2/*/link; do " + damage + " $f; done");
        theContainerIsAsItWas();
    }

    @ParameterizedTest
    @ValueSource(strings = {"truncate -s 0", "rm", "sh -c 'head -c 28 /dev/zero > $0'", "sh -c 'echo l/ABCDEFGHIJKLMNOPQRSTUVWXYZ > $0'"})
    void whatALayerLiesOnIsWrittenAnewWhenItIsLost(String damage) throws IOException {
        Machine.sh("for f in " + root + "/overlay2/*/lower; do " + damage + " $f; done");
        theContainerIsAsItWas();
    }

    @Test
    void aLostWorkFolderIsMadeAgain() throws IOException {
        Machine.sh("rm -r " + root + "/overlay2/*/work");
        theContainerIsAsItWas();
    }

    private void theContainerIsAsItWas() throws IOException {
        for (int start = 0; start < 2; start++) {
            try (var store = LayerStore.open(root)) {
                ContainerLayer container = store.containerLayer("c").orElseThrow();
                Path mounted = container.mount();
                assertEquals("precious", Files.readString(mounted.resolve("data")));
                assertEquals("12", Files.readString(mounted.resolve("base")) + Files.readString(mounted.resolve("top")));
                container.unmount();
            }
        }
        assertFalse(Files.exists(root.resolve("quarantine")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"cache-id", "diff", "size", "parent"})
    void aLayerWithADamagedFileGoesToQuarantineAndCanBeBroughtInAgain(String file) throws IOException {
        Path folder = layerdb.resolve("sha256/" + top.chainId().digest().hex());
        for (String damage : List.of("", "\0\0\0\0", "sha256:", "none")) {
            if (damage.equals("none")) Files.delete(folder.resolve(file));
            else Files.writeString(folder.resolve(file), damage);
            try (var store = LayerStore.open(root)) {
                assertEquals(Optional.of(base), store.find(base.chainId()));
                assertTrue(store.find(top.chainId()).isEmpty(), damage);
                assertEquals(top, add(store, new TarBuilder().file("top", "2"), Optional.of(base.chainId())));
                store.syncNames();
            }
            assertEquals("2", Machine.sh("cat " + root + "/quarantine/overlay2/" + topFiles.getFileName() + "/diff/top"));
            assertTrue(Files.exists(root.resolve("quarantine/image/overlay2/layerdb/sha256/" + top.chainId().digest().hex())));
            Machine.sh("rm -r " + root + "/quarantine");
            topFiles = root.resolve("overlay2").resolve(Files.readString(folder.resolve("cache-id")));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mount-id", "init-id", "parent"})
    void aContainersLayerWithADamagedFileGoesToQuarantineWithItsData(String file) throws IOException {
        Files.writeString(layerdb.resolve("mounts/c").resolve(file), "\0\0\0\0");
        try (var store = LayerStore.open(root)) {
            assertTrue(store.containerLayer("c").isEmpty());
            assertTrue(store.find(top.chainId()).isPresent());
        }
        assertEquals("precious", Machine.sh("cat " + root + "/quarantine/overlay2/*/diff/data"));
    }

    @Test
    void aLayerOfAContainerThatIsNoMoreGoesToQuarantineWithItsData() throws IOException {
        try (var store = LayerStore.open(root)) {
            store.quarantineContainerLayers("c"::equals);
            assertTrue(store.containerLayer("c").isPresent());
            store.quarantineContainerLayers("another"::equals);
            assertTrue(store.containerLayer("c").isEmpty());
        }
        assertEquals("precious", Machine.sh("cat " + root + "/quarantine/overlay2/*/diff/data"));
        LayerStore.open(root).close();
        assertEquals(3, Files.list(root.resolve("overlay2")).count(), "two layers, and l");
        assertEquals(2, Files.list(root.resolve("overlay2/l")).count());
    }

    @Test
    void whatCannotBeMovedToQuarantineDoesNotKeepTheStoreFromOpening() throws IOException {
        Files.writeString(layerdb.resolve("mounts/c/mount-id"), "");
        Files.writeString(root.resolve("quarantine"), "in the way");
        try (var store = LayerStore.open(root)) {
            assertTrue(store.containerLayer("c").isEmpty());
            assertTrue(store.find(top.chainId()).isPresent());
        }
        assertEquals("precious", Machine.sh("cat " + root + "/overlay2/*/diff/data"));
    }

    private static Layer add(LayerStore store, TarBuilder tar, Optional<ChainId> parent) throws IOException {
        try (var staged = store.stage()) {
            staged.extract(tar.stream());
            return staged.commit(parent);
        }
    }

    private String everything() throws IOException {
        return Machine.sh("cd " + root + "; find . -printf '%p %y %m %l %T@ %s\\n' | grep -v 'layerdb/tmp \\|overlay2 d\\|overlay2/l ' | LC_ALL=C sort");
    }
}
