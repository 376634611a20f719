package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TreeArchiveIT {
    private static final TreeArchive.Rules PLAIN = new TreeArchive.Rules(false, Optional.empty());

    @TempDir
    Path scratch;

    private final FileCalls calls = new FileCalls();
    private Path tree;
    private int root;
    private TreeArchive archive;

    @BeforeEach
    void open() throws IOException {
        tree = Files.createDirectories(scratch.resolve("tree"));
        Files.createDirectories(tree.resolve("in"));
        root = calls.open(tree, OpenFlags.PATH | OpenFlags.DIRECTORY);
        archive = new TreeArchive(root, IdentityMapping.NONE);
    }

    @AfterEach
    void close() {
        calls.close(root);
    }

    private byte[] tarOf(Path folder, String name) throws IOException {
        int open = calls.open(folder, OpenFlags.PATH | OpenFlags.DIRECTORY);
        try (var tar = archive.read(open, name.getBytes(UTF_8), name.getBytes(UTF_8))) {
            return tar.readAllBytes();
        } finally {
            calls.close(open);
        }
    }

    @Test
    void whatComesOutGoesInAgain() throws IOException {
        Files.createDirectories(tree.resolve("out/sub"));
        Files.writeString(tree.resolve("out/sub/file"), "content");
        Files.createLink(tree.resolve("out/hard"), tree.resolve("out/sub/file"));
        Files.createSymbolicLink(tree.resolve("out/link"), Path.of("sub"));
        archive.write(new ByteArrayInputStream(tarOf(tree, "out")), "/in", PLAIN);
        assertEquals("content", Files.readString(tree.resolve("in/out/link/file")));
        assertEquals(Files.getAttribute(tree.resolve("in/out/hard"), "unix:ino"), Files.getAttribute(tree.resolve("in/out/sub/file"), "unix:ino"));
        assertArrayEquals(tarOf(tree, "out"), tarOf(tree.resolve("in"), "out"));
    }

    @Test
    void absoluteLinksStayInTheTree() throws IOException {
        Path outside = Files.createDirectories(scratch.resolve("outside"));
        Files.createDirectories(tree.resolve("folder"));
        Files.writeString(tree.resolve("folder/file"), "content");
        byte[] tar = tarOf(tree, "folder");
        // Where the folder of the tar would go, a link leads to a place that is on the host, and not in the tree.
        Files.createSymbolicLink(tree.resolve("in/link"), outside);
        assertThrows(IOException.class, () -> archive.write(new ByteArrayInputStream(tar), "/in/link", PLAIN));
        Files.createDirectories(tree.resolve(Path.of("/").relativize(outside)));
        archive.write(new ByteArrayInputStream(tar), "/in/link", PLAIN);
        assertEquals("content", Files.readString(tree.resolve(Path.of("/").relativize(outside)).resolve("folder/file")));
        assertFalse(Files.exists(outside.resolve("folder")));
    }

    @Test
    void aTarThatEndsInTheMiddleOfAFileLeavesNoneOfIt() throws IOException {
        Files.writeString(tree.resolve("file"), "x".repeat(100_000));
        byte[] tar = tarOf(tree, "file");
        var half = new ByteArrayInputStream(tar, 0, 40_448);
        assertThrows(IOException.class, () -> archive.write(half, "/in", PLAIN));
        assertFalse(Files.exists(tree.resolve("in/file")));
    }
}
