package io.balena.engine.runtime.container;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/// Each test has a runtime and a bundle of its own.
public abstract class RuntimeTests {
    @TempDir
    protected Path folder;

    protected RuntimeFixture fixture;
    protected Bundle bundle;

    @BeforeEach
    void openFixture() throws Exception {
        fixture = new RuntimeFixture(folder);
        bundle = fixture.bundle();
    }

    @AfterEach
    void closeFixture() throws Exception {
        fixture.close();
    }
}
