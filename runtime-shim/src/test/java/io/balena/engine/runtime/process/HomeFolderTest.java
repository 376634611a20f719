package io.balena.engine.runtime.process;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class HomeFolderTest {
    @Test
    void homeIsTheFolderOfTheContainersUser() {
        String passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nmail:x:8:8::/var/mail:/bin/false\n";
        assertEquals("/root", HomeFolder.of("0", passwd));
        assertEquals("/var/mail", HomeFolder.of("8", passwd));
        assertEquals("/", HomeFolder.of("9", passwd));
    }
}
