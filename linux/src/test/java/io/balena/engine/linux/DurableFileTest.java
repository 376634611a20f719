package io.balena.engine.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DurableFileTest {
    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void write() throws IOException {
        file = folder.resolve("state.json");
        DurableFile.replace(file, bytes("old"), "rw-r--r--");
    }

    @Test
    void contentThatDidNotChangeIsNotWrittenAgain() throws IOException {
        Object before = Files.getAttribute(file, "unix:ino");
        DurableFile.replace(file, bytes("old"), "rw-r--r--");
        assertEquals(before, Files.getAttribute(file, "unix:ino"));
    }

    @Test
    void contentOfTheSameLengthThatChangedIsWritten() throws IOException {
        DurableFile.replace(file, bytes("new"), "rw-r--r--");
        assertEquals("new", Files.readString(file));
    }

    @Test
    void permissionsThatChangedAreSet() throws IOException {
        DurableFile.replace(file, bytes("old"), "rw-------");
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    @Test
    void aLinkInThePlaceIsReplacedAndNotFollowed() throws IOException {
        Path elsewhere = Files.writeString(folder.resolve("elsewhere"), "new");
        Files.delete(file);
        Files.createSymbolicLink(file, elsewhere);
        Object before = Files.getAttribute(elsewhere, "unix:ino");
        DurableFile.replace(file, bytes("new"), "rw-r--r--");
        assertNotEquals(before, Files.getAttribute(file, "unix:ino"));
        assertEquals("new", Files.readString(file));
    }

    @Test
    void nothingIsLeftBeside() throws IOException {
        DurableFile.replace(file, bytes("newer"), "rw-r--r--");
        try (var names = Files.list(folder)) {
            assertEquals(1, names.count());
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }
}
