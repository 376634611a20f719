package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.linux.OpenFlags;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Layers that were made to do harm. Each is decided as Docker 20.10 decides it, except that what Docker takes in but could
/// not give out again is refused.
class HostileLayerIT {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private LayerStore store;
    private Path victim;

    @BeforeEach
    void aStoreBesideSomethingWorthProtecting() throws IOException {
        victim = Files.createDirectory(scratch.path().resolve("victim"));
        Files.writeString(victim.resolve("file"), "precious");
        store = LayerStore.open(scratch.path().resolve("root"));
    }

    @AfterEach
    void nothingOutsideTheLayerWasTouched() throws IOException {
        if (store == null) return;
        assertEquals("file", Machine.sh("ls -A " + victim).strip());
        assertEquals("precious", Files.readString(victim.resolve("file")));
        assertEquals("root\nvictim\n", Machine.sh("ls -A " + scratch));
        assertEquals("image\noverlay2\n", Machine.sh("ls -A " + scratch + "/root"));
        store.close();
    }

    // Names

    @Test
    void dotsThatClimbStopAtTheRootOfTheLayer() throws IOException {
        accepts(new TarBuilder().file("../../../../escape", "x").file("a/../../b", "y"), "b", "escape");
    }

    @Test
    void absoluteNamesAreBelowTheRootOfTheLayer() throws IOException {
        accepts(new TarBuilder().file(victim + "/new", "x"), shown(victim + "/new"));
    }

    @Test
    void aNameThatIsTooLongIsRefused() throws IOException {
        refuses("File name too long", new TarBuilder().pax("path=" + "n".repeat(256)).file("n", "x"));
        refuses("File name too long", new TarBuilder().pax("path=" + "n/".repeat(2500) + "x").file("n", "x"));
    }

    @Test
    void oneNameTwiceIsRefused() throws IOException {
        refuses("duplicates of file paths not supported", new TarBuilder().file("a", "x").file("a", "y"));
        refuses("duplicates of file paths not supported", new TarBuilder().file("a", "x").file("./b/../a", "y"));
        refuses("duplicates of file paths not supported", new TarBuilder().file("a", "x").file("/a", "y"));
    }

    @Test
    void theRootCannotBecomeAFile() throws IOException {
        refuses("root of a layer", new TarBuilder().file(".", "x"));
        refuses("root of a layer", new TarBuilder().file("/", "x"));
        refuses("root of a layer", new TarBuilder().symlink("..", "/"));
    }

    // Symbolic links

    @Test
    void aFileBelowALinkThatPointsOutsideStaysInTheLayer() throws IOException {
        refuses("No such file", new TarBuilder().symlink("l", victim.toString()).file("l/new", "x"));
        refuses("No such file", new TarBuilder().symlink("l", "../../../../../.." + victim).file("l/new", "x"));
        refuses("Not a directory", new TarBuilder().symlink("l", "/proc/self/root" + victim).file("proc/self", "").file("l/new", "x"));
    }

    @Test
    void aLinkIsResolvedInsideTheLayer() throws IOException {
        Layer layer = accepts(new TarBuilder().symlink("l", victim.toString()).folder(victim + "/").file("l/file", "mine"),
                "l", shown(victim + "/file"));
        try (var tar = store.openTar(layer.chainId())) {
            assertTrue(new String(tar.readAllBytes(), US_ASCII).contains("mine"));
        }
    }

    @Test
    void aFileReplacesALinkInsteadOfWritingThroughIt() throws IOException {
        refuses("duplicates", new TarBuilder().symlink("l", victim + "/file").file("l", "overwritten"));
        accepts(new TarBuilder().symlink("a", "b").symlink("b/l", victim + "/file").folder("c").file("c/x", ""),
                "a", "b/l", "c/x");
    }

    @Test
    void linksInACircleAreRefused() throws IOException {
        refuses("Too many levels of symbolic links", new TarBuilder().symlink("a", "b").symlink("b", "a").file("a/x", "x"));
    }

    @Test
    void anEmptyLinkIsRefused() throws IOException {
        refuses("No such file", new TarBuilder().symlink("a", ""));
    }

    // Hard links

    @Test
    void aHardLinkToSomethingOutsideIsRefused() throws IOException {
        refuses("No such file", new TarBuilder().hardLink("h", victim + "/file"));
        refuses("No such file", new TarBuilder().hardLink("h", "../../../../../.." + victim + "/file"));
        refuses("No such file", new TarBuilder().symlink("l", victim.toString()).hardLink("h", "l/file"));
    }

    @Test
    void aHardLinkToASymbolicLinkLinksTheLink() throws IOException {
        accepts(new TarBuilder().symlink("s", victim + "/file").hardLink("h", "s"), "h", "s");
    }

    @Test
    void aHardLinkToAFolderToItselfOrToNothingIsRefused() throws IOException {
        refuses("Operation not permitted", new TarBuilder().folder("d").hardLink("h", "d"));
        refuses("No such file", new TarBuilder().hardLink("h", "h"));
        refuses("No such file", new TarBuilder().hardLink("h", "missing"));
        refuses("hard link to the root", new TarBuilder().hardLink("h", "/"));
    }

    // Whiteouts

    @Test
    void aWhiteoutOfNothingOrOfItsOwnFolderIsRefused() throws IOException {
        refuses("whiteout of nothing", new TarBuilder().file(".wh.", ""));
        refuses("File exists", new TarBuilder().file(".wh..", ""));
        refuses("File exists", new TarBuilder().folder("d").file("d/.wh...", ""));
    }

    @Test
    void aWhiteoutOfWhatTheLayerItselfHasIsRefusedUnlessItComesFirst() throws IOException {
        refuses("File exists", new TarBuilder().file("a", "x").file(".wh.a", ""));
        accepts(new TarBuilder().file(".wh.a", "").file("a", "x"), "a");
    }

    @Test
    void whatReplacesAWhiteoutMayBeAnything() throws IOException {
        accepts(new TarBuilder().folder("d").folder("d/e").file("d/e/.wh.a", "").file("d/e/a", "x").file("d/e/.wh.b", "").symlink("d/e/b", "a")
                .file("d/e/.wh.c", "").hardLink("d/e/c", "d/e/a").file("d/e/.wh.f", "").folder("d/e/f").file("d/e/f/x", "y")
                .file("d/e/.wh.n", "").device("d/e/n", 1, 3).file("d/e/z", "z").file("d/y", "y"),
                "d/e/a", "d/e/b", "d/e/c", "d/e/f/x", "d/e/n", "d/e/z", "d/y");
    }

    @Test
    void aWhiteoutWithContentIsRefused() throws IOException {
        refuses("whiteout with content", new TarBuilder().file(".wh.a", "hello"));
    }

    @Test
    void anOpaqueMarkBelowALinkMarksAFolderOfTheLayer() throws IOException {
        accepts(new TarBuilder().symlink("l", "/").file("l/.wh..wh..opq", ""), "l");
        assertEquals("", Machine.sh("getfattr -d -m - " + scratch + " " + victim + " 2>/dev/null || true"));
    }

    @Test
    void aLayerCannotSpeakInTheNameOfOverlayfs() throws IOException {
        Layer layer = accepts(new TarBuilder().pax("SCHILY.xattr.trusted.overlay.redirect=/victim").folder("d"), "d");
        var calls = new io.balena.engine.linux.FileCalls();
        int fd = calls.open(Path.of(store.driverData(layer.chainId()).get("UpperDir")), io.balena.engine.linux.OpenFlags.PATH);
        assertEquals(java.util.List.of(), calls.listXattrs(fd, "d".getBytes(US_ASCII)));
        calls.close(fd);
    }

    // Things that are no files

    @Test
    void aDeviceIsANodeInTheLayerAndNothingMore() throws IOException {
        accepts(new TarBuilder().device("sda", 8, 0), "sda");
    }

    @Test
    void aFileBelowAFileIsRefused() throws IOException {
        refuses("Not a directory", new TarBuilder().file("a", "x").file("a/b", "y"));
    }

    @Test
    void typesThatNobodyKnowsAreRefused() throws IOException {
        refuses("unhandled tar header type 55", new TarBuilder().member("a", '7', "", new byte[0], h -> {}));
    }

    // Damage

    @Test
    void aTruncatedTarIsRefused() throws IOException {
        byte[] whole = new TarBuilder().pax("path=" + "p".repeat(200)).file("a", "x".repeat(3000)).bytes();
        for (int length : new int[] {1, 100, 511, 513, 700, 1024, 1100, 1537, 2000, 4607}) {
            refuses("EOF", Arrays.copyOf(whole, length));
        }
    }

    @Test
    void garbageIsRefused() throws IOException {
        byte[] garbage = new byte[5000];
        new Random(7).nextBytes(garbage);
        refuses("invalid tar header", garbage);
        byte[] flipped = new TarBuilder().file("a", "x").bytes();
        flipped[150] ^= 1;
        refuses("checksum", flipped);
        refuses("zeros", new TarBuilder().file("a", "x").raw(new byte[512]).file("b", "y").bytes());
    }

    @Test
    void numbersThatAreNoneAreRefused() throws IOException {
        refuses("size", new TarBuilder().member("a", '0', "", new byte[0], h -> TarBuilder.put(h, 124, "9999")).bytes());
        refuses("negative size", new TarBuilder().member("a", '0', "", new byte[0], h -> Arrays.fill(h, 124, 136, (byte) 0xff)).bytes());
        refuses("PAX record", new TarBuilder().member("x", 'x', "", "99 a=b\n".getBytes(US_ASCII), h -> {}).bytes());
        refuses("PAX record", new TarBuilder().member("x", 'x', "", "-1 a=b\n".getBytes(US_ASCII), h -> {}).bytes());
        refuses("extended header of", new TarBuilder()
                .member("x", 'x', "", new byte[0], h -> TarBuilder.put(h, 124, "77777777777")).bytes());
    }

    @Test
    void sparseMapsThatOverlapOrOverflowAreRefused() throws IOException {
        for (String map : new String[] {"0,1,0,1", "5,1,0,1", "0,9223372036854775807,9,9", "-1,2", "0,1,2", "100,2"}) {
            refuses("sparse map", new TarBuilder().pax("GNU.sparse.map=" + map, "GNU.sparse.size=50").file("a", "xy").bytes());
        }
    }

    @Test
    void whatFollowsTheEndIsPartOfTheLayer() throws IOException {
        byte[] tar = new TarBuilder().file("a", "x").raw(new byte[1024]).raw("garbage".repeat(1000).getBytes(US_ASCII)).unended();
        accepts(tar, "a");
        accepts(new byte[0]);
        accepts(new TarBuilder().file("a", "y").unended(), "a");
    }

    @Test
    void aStreamThatFailsLeavesNothing() throws IOException {
        byte[] whole = new TarBuilder().file("a", "x".repeat(1_000_000)).bytes();
        var failing = new InputStream() {
            int at;

            @Override
            public int read() throws IOException {
                if (at == 700_000) throw new IOException("connection reset");
                return whole[at++];
            }
        };
        try (var staged = store.stage()) {
            assertEquals("connection reset", assertThrows(IOException.class, () -> staged.extract(failing)).getMessage());
        }
        isEmpty();
    }

    private void refuses(String reason, TarBuilder tar) throws IOException {
        refuses(reason, tar.bytes());
    }

    private void refuses(String reason, byte[] tar) throws IOException {
        try (var staged = store.stage()) {
            var e = assertThrows(InvalidLayerException.class, () -> staged.extract(new ByteArrayInputStream(tar)));
            assertTrue(e.getMessage().contains(reason), e.getMessage());
        }
        isEmpty();
    }

    private void isEmpty() throws IOException {
        assertEquals("l\n", Machine.sh("ls -A " + scratch + "/root/overlay2"));
        assertEquals("", Machine.sh("cd " + scratch + "/root; ls -A overlay2/l image/overlay2/layerdb/tmp | grep -v : || true").strip());
    }

    private Layer accepts(TarBuilder tar, String... files) throws IOException {
        return accepts(tar.bytes(), files);
    }

    private Layer accepts(byte[] tar, String... files) throws IOException {
        try (var staged = store.stage()) {
            staged.extract(new ByteArrayInputStream(tar));
            Layer layer = staged.commit(Optional.empty());
            String listed = Machine.sh("cd " + store.driverData(layer.chainId()).get("UpperDir")
                    + "; find . -mindepth 1 \\( ! -type d -o -empty \\) -printf '%P\\n' | LC_ALL=C sort");
            assertEquals(String.join("\n", files), listed.strip());
            try (var again = store.openTar(layer.chainId())) {
                assertArrayEquals(tar, again.readAllBytes());
            }
            return layer;
        }
    }

    private static String shown(String path) {
        return path.substring(1);
    }
}
