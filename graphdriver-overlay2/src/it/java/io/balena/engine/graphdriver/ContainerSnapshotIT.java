package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// The files of a container, taken out of it: its changes for a commit, all of them for an export.
class ContainerSnapshotIT {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private LayerStore store;
    private ContainerLayer container;
    private Layer image;

    @BeforeEach
    void open() throws IOException {
        store = LayerStore.open(scratch.path().resolve("root"));
        image = commit(new ByteArrayInputStream(new TarBuilder().folder("etc").file("etc/gone", "x").file("etc/kept", "kept").folder("opaque")
                .file("opaque/old", "x").bytes()), Optional.empty());
        container = store.createContainerLayer("c", Optional.of(image.chainId()));
    }

    @AfterEach
    void close() throws IOException {
        container.remove();
        store.close();
    }

    @Test
    void aCommittedLayerIsWhatTheContainerSaw() throws IOException {
        Path merged = container.mount();
        Machine.sh("cd " + merged + "; rm etc/gone; rm -r opaque; mkdir opaque; echo new > opaque/new; echo content > etc/a; ln etc/a etc/b;"
                + " mknod etc/device c 1 3; mkfifo etc/fifo; ln -s nowhere etc/link; chmod 6755 etc/a; chown 70000:70001 etc/link -h;"
                + " setfattr -n user.note -v value etc/a; setfattr -n trusted.note -v value etc/a; touch -d '2001-02-03 04:05:06.123456789' etc/a;"
                + " touch -d '1969-12-31 23:59:58.5' etc/fifo; truncate -s 1M etc/sparse; touch \"$(printf 'etc/\\377name')\"; touch etc/" + "n".repeat(250)
                + "; python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.bind('etc/socket')\"");
        Layer layer;
        try (InputStream diff = container.openDiff()) {
            layer = commit(diff, Optional.of(image.chainId()));
        }
        ContainerLayer other = store.createContainerLayer("d", Optional.of(layer.chainId()));
        Machine.sh("rm " + merged + "/etc/socket"); // which no tar can hold
        String expected = withoutInitLayer(listing(merged));
        assertEquals(expected, withoutInitLayer(listing(other.mount())));
        assertTrue(expected.contains("2001-02-03+04:05:06.123456789"), expected);
        other.remove();
        store.release(layer.chainId());
    }

    @Test
    void whatHasNotChangedMakesTheEmptyTar() throws IOException {
        try (InputStream diff = container.openDiff()) {
            assertEquals(1024, diff.readAllBytes().length);
        }
    }

    @Test
    void theWholeTreeOfAStoppedContainerIsReadAndUnmountedAgain() throws IOException {
        Path merged = scratch.path().resolve("out");
        Files.createDirectory(merged);
        try (InputStream tree = container.openTree()) {
            Files.write(scratch.path().resolve("tree.tar"), tree.readAllBytes());
        }
        assertFalse(mounts().contains("/merged"), mounts());
        assertEquals("kept", Machine.sh("tar -xOf " + scratch + "/tree.tar etc/kept").strip());
        assertEquals(listing(container.mount()), extracted(merged));
        try (InputStream tree = container.openTree()) {
            tree.readNBytes(100);
        }
        assertTrue(mounts().contains("/merged"), "a running container stays mounted");
    }

    @Test
    void aContainerThatEndsWhileItIsReadIsUnmountedAfterThat() throws IOException {
        container.mount();
        InputStream tree = container.openTree();
        container.unmount();
        assertTrue(mounts().contains("/merged"));
        tree.readAllBytes();
        tree.close();
        assertFalse(mounts().contains("/merged"), mounts());
    }

    @Test
    void oneThatIsRemovedMeanwhileFailsTheReader() throws IOException {
        Files.write(container.mount().resolve("large"), new byte[1 << 20]);
        try (InputStream diff = container.openDiff(); InputStream tree = container.openTree()) {
            diff.readNBytes(2000);
            tree.readNBytes(2000);
            container.remove();
            assertTrue(assertThrows(IOException.class, diff::readAllBytes).getMessage().contains("is being removed"));
            assertTrue(assertThrows(IOException.class, tree::readAllBytes).getMessage().contains("is being removed"));
        }
        assertFalse(mounts().contains("/merged"), mounts());
        container = store.createContainerLayer("c", Optional.of(image.chainId()));
    }

    private Layer commit(InputStream tar, Optional<ChainId> parent) throws IOException {
        try (var staged = store.stage()) {
            staged.extract(tar);
            return staged.commit(parent);
        }
    }

    private String extracted(Path folder) throws IOException {
        Machine.sh("tar --xattrs --xattrs-include=* -xf " + scratch + "/tree.tar -C " + folder + "");
        return listing(folder);
    }

    private static String listing(Path root) throws IOException {
        return Machine.sh("export LC_ALL=C; cd " + root + "; find . -mindepth 1 ! -type d -printf '%P %y %m %U %G %n %l %T+\\n' | sort;"
                + " find . -mindepth 1 -type d -printf '%P %m %U %G\\n' | sort; find . -type f | sort | xargs -d '\\n' sha256sum;"
                + " find . -mindepth 1 | sort | xargs -d '\\n' getfattr -h -d -m - 2>/dev/null; true");
    }

    /// Each container has its own files in there.
    private static String withoutInitLayer(String listing) {
        return listing.lines().filter(line -> !line.matches("(?s)(\\.dockerenv|dev/console|etc/(hostname|hosts|resolv.conf|mtab)) .*"))
                .collect(Collectors.joining("\n"));
    }

    private String mounts() throws IOException {
        return Machine.sh("grep " + scratch + " /proc/self/mountinfo || true");
    }
}
