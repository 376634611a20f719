package io.balena.engine.runtime.client;

import io.balena.engine.runtime.Stdio;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// One shim for all tests of a class; each test ends with no container left.
@Timeout(60)
abstract class ShimTests {
    static final Stdio NOTHING = new Stdio(false, false, Optional.empty());
    static final Stdio INTERACTIVE = new Stdio(true, true, Optional.empty());

    @TempDir static Path shared;
    static ShimFixture fixture;
    Shim shim;
    Path folder;

    @BeforeAll
    static void startAShim() throws IOException {
        fixture = new ShimFixture(shared);
    }

    @BeforeEach
    void useIt(TestInfo test) throws IOException {
        shim = fixture.shim;
        folder = fixture.newFolder(test.getTestMethod().orElseThrow().getName());
    }

    @AfterEach
    void removeContainers() throws Exception {
        fixture.removeContainers();
    }

    @AfterAll
    static void endIt() throws Exception {
        if (fixture != null) fixture.close();
    }
}
