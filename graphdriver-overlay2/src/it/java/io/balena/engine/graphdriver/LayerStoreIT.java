package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.ContainerLayer.Change;
import io.balena.engine.graphdriver.ContainerLayer.Change.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
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
        Machine.sh("tar -C /usr/share -cf " + scratch + "/a.tar --numeric-owner perl5 doc/ base-files 2>/dev/null || true");
        try (var store = LayerStore.open(root)) {
            Layer layer = add(store, Files.newInputStream(scratch.path().resolve("a.tar")), Optional.empty());
            Machine.sh("mkdir " + scratch + "/x && tar -C " + scratch + "/x --numeric-owner -xf " + scratch + "/a.tar");
            assertEquals(Machine.sh(listing(scratch.path().resolve("x"))), Machine.sh(listing(diff(store, layer))));
            try (var tar = store.openTar(layer.chainId()); var original = Files.newInputStream(scratch.path().resolve("a.tar"))) {
                assertEquals(Digest.of(original.readAllBytes()), Digest.of(tar.readAllBytes()));
            }
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
