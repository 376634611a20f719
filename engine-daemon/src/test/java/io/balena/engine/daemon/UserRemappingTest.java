package io.balena.engine.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.graphdriver.IdentityMapping.Range;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Messages are those of dockerd 20.10 for the same files.
class UserRemappingTest {
    @TempDir
    Path etc;

    @BeforeEach
    void write() throws IOException {
        write("passwd", "root:x:0:0:root:/root:/bin/sh", "daemon:x:1:1::/:/bin/false", "dockremap:x:103:108::/:/bin/false", "lonely:x:104:104::/:/bin/false");
        write("group", "root:x:0:", "daemon:x:1:", "dockremap:x:108:", "same:x:103:", "lonely:x:104:");
        write("subuid", "# a comment", "", "dockremap:100000:65536");
        write("subgid", "dockremap:200000:1000", "other:1:1", "dockremap:300000:64536");
    }

    private void write(String file, String... lines) throws IOException {
        Files.write(etc.resolve(file), List.of(lines));
    }

    private IdentityMapping of(String setting) {
        return new UserRemapping(etc).of(setting);
    }

    private String refused(String setting) {
        return assertThrows(IllegalArgumentException.class, () -> of(setting)).getMessage();
    }

    @Test
    void rangesOfAUserFollowEachOther() {
        var expected = new IdentityMapping(List.of(new Range(0, 100_000, 65_536)), List.of(new Range(0, 200_000, 1000), new Range(1000, 300_000, 64_536)));
        for (String setting : List.of("default", "dockremap", "dockremap:dockremap", "dockremap:daemon", "103:108", "103", "dockremap:1")) {
            assertEquals(expected, of(setting), setting);
        }
    }

    @Test
    void rangesMayBeKeptUnderTheNumber() throws IOException {
        write("subuid", "103:5000:10", "dockremap:100000:65536");
        assertEquals(List.of(new Range(0, 5000, 10)), of("default").users());
    }

    @Test
    void rootIsNotRemapped() {
        assertEquals(IdentityMapping.NONE, of("root"));
        assertEquals(IdentityMapping.NONE, of("0"));
    }

    @Test
    void whoIsNotThereCannotBeUsed() {
        assertEquals("Invalid user/group specification in --userns-remap: \"a:b:c\"", refused("a:b:c"));
        assertEquals("Error during uid lookup for \"x\": getent unable to find entry \"x\" in passwd database", refused("x"));
        assertEquals("Error during uid lookup for \"\": getent unable to find entry \"\" in passwd database", refused(":y"));
        assertEquals("Uid 12345 has no entry in /etc/passwd: getent unable to find entry \"12345\" in passwd database", refused("12345"));
        assertEquals("Error during groupname lookup for \"x\": getent unable to find entry \"x\" in group database", refused("dockremap:x"));
        assertEquals("Gid 4711 has no entry in /etc/passwd: getent unable to find entry \"4711\" in group database", refused("dockremap:4711"));
        assertEquals("Can't create ID mappings: no subuid ranges found for user \"lonely\"", refused("lonely"));
    }

    @Test
    void aDamagedFileIsNotGuessedAt() throws IOException {
        write("subuid", "dockremap:100000");
        assertEquals("Can't create ID mappings: cannot parse subuid/gid information: Format not correct for " + etc.resolve("subuid") + " file",
                refused("default"));
        write("subuid", "dockremap:many:65536");
        assertEquals("Can't create ID mappings: String to int conversion failed during subuid/gid parsing of " + etc.resolve("subuid"), refused("default"));
        Files.delete(etc.resolve("subuid"));
        assertThrows(IllegalArgumentException.class, () -> of("default"));
    }
}
