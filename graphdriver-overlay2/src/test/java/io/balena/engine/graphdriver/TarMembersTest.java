package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.TarMembers.Member;
import io.balena.engine.graphdriver.TarMembers.Type;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class TarMembersTest {
    @Test
    void membersComeInOrderWithWhatIsInThem() throws IOException {
        String big = "0123456789".repeat(100_000);
        var members = new TarMembers(new TarBuilder().folder("./a/").file("./a/big", big).symlink("a/link", "../b").hardLink("c", "a/big")
                .file("d", "small").stream());
        assertEquals(new Member("a", Type.FOLDER, "", 0), members.next().orElseThrow());
        assertEquals(new Member("a/big", Type.FILE, "", big.length()), members.next().orElseThrow());
        assertEquals(big, new String(members.content().readAllBytes(), StandardCharsets.UTF_8));
        assertEquals(new Member("a/link", Type.SYMLINK, "../b", 0), members.next().orElseThrow());
        assertEquals(new Member("c", Type.HARD_LINK, "a/big", 0), members.next().orElseThrow());
        assertEquals(-1, members.content().read());
        assertEquals(new Member("d", Type.FILE, "", 5), members.next().orElseThrow());
        assertEquals('s', members.content().read());
        assertEquals(Optional.empty(), members.next());
        assertEquals(Optional.empty(), members.next());
    }

    @Test
    void whatIsNotReadIsPassedOver() throws IOException {
        var members = new TarMembers(new TarBuilder().file("big", "x".repeat(700_000)).file("next", "y").stream());
        members.next();
        members.content().readNBytes(1000);
        assertEquals("next", members.next().orElseThrow().path());
        assertEquals('y', members.content().read());
    }

    @Test
    void namesNeverLeaveTheArchive() throws IOException {
        var members = new TarMembers(new TarBuilder().file("../../etc/passwd", "").file("/etc/shadow", "").stream());
        assertEquals("etc/passwd", members.next().orElseThrow().path());
        assertEquals("etc/shadow", members.next().orElseThrow().path());
        assertEquals("etc/passwd", TarMembers.clean("a/../../etc/./passwd/"));
    }

    @Test
    void aTarThatEndsInTheMiddleFailsAgainAndAgain() throws IOException {
        byte[] whole = new TarBuilder().file("first", "x".repeat(700_000)).file("second", "y").bytes();
        var members = new TarMembers(new ByteArrayInputStream(Arrays.copyOf(whole, 600_000)));
        members.next();
        assertThrows(InvalidLayerException.class, () -> members.content().readAllBytes());
        assertEquals("unexpected EOF", assertThrows(InvalidLayerException.class, members::next).getMessage());
        assertThrows(InvalidLayerException.class, () -> members.content().read());
    }

    @Test
    void aTarIsKnownByItsFirstRecord() {
        assertTrue(TarMembers.isTar(Arrays.copyOf(new TarBuilder().file("a", "b").bytes(), 512)));
        assertTrue(TarMembers.isTar(new byte[512]));
        assertFalse(TarMembers.isTar(new byte[511]));
        assertFalse(TarMembers.isTar("{\"json\":1}".repeat(60).getBytes(StandardCharsets.UTF_8)));
    }
}
