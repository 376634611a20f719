package io.balena.engine.linux;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileCallsIT {
    @TempDir
    Path folder;

    private final FileCalls calls = new FileCalls();
    private int fd = -1;

    @BeforeEach
    void aFolderWithLinks() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        Files.createDirectories(folder.resolve("a/b"));
        Files.writeString(folder.resolve("a/b/file"), "content");
        Files.createSymbolicLink(folder.resolve("up"), Path.of("../../../../../../a"));
        Files.createSymbolicLink(folder.resolve("inside"), Path.of("a/b"));
        fd = calls.open(folder, OpenFlags.RDONLY | OpenFlags.DIRECTORY);
    }

    @AfterEach
    void close() {
        if (fd >= 0) calls.close(fd);
    }

    @Test
    void inARootLinksThatClimbStopThere() throws IOException {
        assertEquals("content", read(calls.openBy(fd, bytes("up/b/file"), OpenFlags.RDONLY, OpenFlags.RESOLVE_IN_ROOT)));
        assertEquals("content", read(calls.openBy(fd, bytes("/../inside/file"), OpenFlags.RDONLY, OpenFlags.RESOLVE_IN_ROOT)));
    }

    @Test
    void beneathAFolderNothingClimbs() throws IOException {
        assertEquals("content", read(calls.openBy(fd, bytes("inside/file"), OpenFlags.RDONLY, OpenFlags.RESOLVE_BENEATH)));
        assertEquals(Errno.EXDEV, refused("up/b/file", OpenFlags.RESOLVE_BENEATH));
        assertEquals(Errno.EXDEV, refused("a/../..", OpenFlags.RESOLVE_BENEATH));
        assertEquals(Errno.ELOOP, refused("inside/file", OpenFlags.RESOLVE_BENEATH | OpenFlags.RESOLVE_NO_SYMLINKS));
    }

    @Test
    void withoutOpenat2NoLinkIsFollowedAtAll() throws IOException {
        assertEquals("content", read(calls.openStepwise(fd, bytes("/a//b/file"), OpenFlags.RDONLY)));
        assertThrows(ErrnoException.class, () -> calls.openStepwise(fd, bytes("inside/file"), OpenFlags.RDONLY));
        assertThrows(ErrnoException.class, () -> calls.openStepwise(fd, bytes("a/../a/b/file"), OpenFlags.RDONLY));
    }

    @Test
    void namesAreBytes() throws IOException {
        byte[] name = "caf\u00e9".getBytes(ISO_8859_1);
        calls.mkdir(fd, name, 0, name.length, 0711);
        assertEquals(0711, calls.stat(fd, name).permissions());
        assertTrue(calls.list(fd).stream().anyMatch(each -> java.util.Arrays.equals(each, name)));
        calls.rmdir(fd, name);
        assertEquals(Errno.ENOENT, assertThrows(ErrnoException.class, () -> calls.stat(fd, name)).errno());
    }

    @Test
    void deviceNumbersOfAnySizeComeBack() throws IOException {
        byte[] name = bytes("node");
        calls.mknod(fd, name, 0, name.length, FileStat.BLOCK_DEVICE | 0600, 4000, 1000000);
        FileStat stat = calls.stat(fd, name);
        assertEquals(List.of(4000, 1000000, FileStat.BLOCK_DEVICE), List.of(stat.rdevMajor(), stat.rdevMinor(), stat.type()));
        assertFalse(stat.isWhiteout());
    }

    @Test
    void timesBefore1970AndNanosecondsAreKept() throws IOException {
        byte[] name = bytes("up");
        calls.setTimes(fd, name, 0, name.length, 5, 6, -100, 123456789);
        FileStat stat = calls.stat(fd, name);
        assertEquals(-100, stat.mtimeSeconds());
        assertEquals(123456789, stat.mtimeNanos());
        assertTrue(stat.isSymlink());
    }

    @Test
    void attributesOfLinksAndFoldersAreReadAndWritten() throws Exception {
        byte[] value = {0, 1, (byte) 0xff};
        ThreadRoot.startAt(folder, "xattr", () -> {
            calls.setXattr(bytes("up"), "trusted.test", value);
            return null;
        }).get();
        assertArrayEquals(value, calls.getXattr(fd, bytes("up"), "trusted.test"));
        assertEquals(List.of("trusted.test"), calls.listXattrs(fd, bytes("up")));
        assertEquals(null, calls.getXattr(fd, bytes("a"), "trusted.test"));
    }

    @Test
    void aThreadMayHaveItsOwnRootAndTheOthersKeepTheirs() throws Exception {
        List<byte[]> seen = ThreadRoot.startIn(folder, "rooted", () -> {
            int root = calls.open(FileCalls.WORKING_DIRECTORY, bytes("/../.."), OpenFlags.RDONLY | OpenFlags.DIRECTORY);
            try {
                return calls.list(root);
            } finally {
                calls.close(root);
            }
        }).get();
        assertEquals(List.of("a", "inside", "up"), seen.stream().map(n -> new String(n, UTF_8)).sorted().toList());
        assertTrue(Files.exists(Path.of("/proc/self/mountinfo")));
        assertThrows(IOException.class, () -> ThreadRoot.startIn(folder.resolve("missing"), "rooted", () -> null));
        var failing = ThreadRoot.startIn(folder, "rooted", () -> {
            throw new IOException("as planned");
        });
        assertThrows(ExecutionException.class, failing::get);
    }

    @Test
    void aMountIsSeenAndAFailureTellsAllOfIt() throws IOException {
        Path target = Files.createDirectory(folder.resolve("with space"));
        assertFalse(Mounts.isMounted(target));
        Mounts.mount(new Mount("none", "tmpfs", 0, "size=4k"), target);
        try {
            assertTrue(Mounts.isMounted(target.toRealPath()));
        } finally {
            Mounts.detach(target);
        }
        assertFalse(Mounts.isMounted(target.toRealPath()));
        var e = assertThrows(ErrnoException.class, () -> Mounts.mount(new Mount("overlay", "overlay", 0, "lowerdir=/missing,upperdir=/u"), target));
        assertTrue(e.getMessage().matches("mount overlay type=overlay flags=0x0 \\(lowerdir=/missing,upperdir=/u\\) on .*with space: .*\\(E[A-Z]+\\)"), e.getMessage());
    }

    @Test
    void aMountThatIsHiddenDoesNotCount() throws IOException {
        Path outer = Files.createDirectory(folder.toRealPath().resolve("outer"));
        Path target = Files.createDirectory(outer.resolve("target"));
        Mounts.mount(new Mount("none", "tmpfs", 0, "size=4k"), target);
        try {
            Mounts.mount(new Mount(outer.toString(), "none", 4096 /* MS_BIND */, ""), outer);
            try {
                assertFalse(Mounts.isMounted(target), "the folder below it is reached");
                Mounts.mount(new Mount("none", "tmpfs", 0, "size=4k"), target);
                assertTrue(Mounts.isMounted(target));
                Mounts.detach(target);
            } finally {
                Mounts.detach(outer);
            }
            assertTrue(Mounts.isMounted(target));
        } finally {
            Mounts.detach(target);
        }
        assertFalse(Mounts.isMounted(folder.resolve("missing")));
    }

    @Test
    void mappedFilesAreGivenBackToThePageCacheAndComeAgain() throws Exception {
        Files.list(folder).close(); // whatever it needs is loaded
        long before = mappedKib();
        MappedFiles.release();
        // How much depends on the size of the page cache's folios: what is used at once comes back with all of its folio.
        assertTrue(mappedKib() < before, () -> before + " KiB before");
        assertEquals(List.of(1, 2, 3), List.of(3, 1, 2).stream().sorted().toList());
    }

    private static long mappedKib() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("RssFile:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).sum();
    }

    private Errno refused(String path, long resolve) {
        return assertThrows(ErrnoException.class, () -> calls.openBy(fd, bytes(path), OpenFlags.RDONLY, resolve)).errno();
    }

    private String read(int file) throws IOException {
        byte[] content = new byte[100];
        int length = calls.read(file, content, 0, content.length);
        calls.close(file);
        return new String(content, 0, length, UTF_8);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }
}
