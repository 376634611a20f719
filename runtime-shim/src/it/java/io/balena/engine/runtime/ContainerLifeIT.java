package io.balena.engine.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContainerLifeIT {
    @TempDir
    Path folder;

    private RuntimeFixture fixture;

    @BeforeEach
    void open() {
        fixture = new RuntimeFixture(folder);
    }

    @AfterEach
    void close() throws Exception {
        fixture.close();
    }

    @Test
    void aProgramRunsAndItsExitCodeArrives() throws Exception {
        assertEquals(0, fixture.run(fixture.bundle()).code());
        assertEquals(1, fixture.run(fixture.bundle().running("false")).code());
        assertEquals(7, fixture.run(fixture.bundle().script("exit 7")).code());
    }

    @Test
    void stdoutAndStderrStayApart() throws Exception {
        var ended = fixture.run(fixture.bundle().script("echo one; echo two >&2"));
        assertEquals("one\n", ended.out());
        assertEquals("two\n", ended.err());
    }
}
