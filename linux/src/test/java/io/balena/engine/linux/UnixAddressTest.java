package io.balena.engine.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class UnixAddressTest {
    @Test
    void aPathBeginsAfterTheFamilyAndAnAbstractNameAfterAZero() throws Exception {
        try (var path = UnixAddress.ofPath("/run/é", "bind"); var name = UnixAddress.ofAbstractName("held", "bind")) {
            assertEquals(2 + 7, path.length());
            assertEquals("/run/é", path.pointer().getString(2, "UTF-8"));
            assertEquals(2 + 1 + 4, name.length());
            assertEquals(0, name.pointer().getByte(2));
            assertEquals("held", name.pointer().getString(3, "UTF-8"));
        }
    }

    @Test
    void aNameThatDoesNotFitIsRefused() throws Exception {
        UnixAddress.ofPath("x".repeat(UnixAddress.LONGEST), "bind").close();
        var failure = assertThrows(ErrnoException.class, () -> UnixAddress.ofPath("x".repeat(UnixAddress.LONGEST + 1), "bind"));
        assertEquals(Errno.ENAMETOOLONG, failure.errno());
    }
}
