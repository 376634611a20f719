package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// Debian's OCI runtimes, under the names they have in tests.
enum OtherRuntime {
    RUNC("debian-runc", "/usr/sbin/runc"), CRUN("debian-crun", "/usr/bin/crun");

    private static final Path UNIFIED = Path.of("/sys/fs/cgroup/unified");

    private final String name;
    private final String program;

    OtherRuntime(String name, String program) {
        this.name = name;
        this.program = program;
    }

    void assumeInstalled() {
        assumeTrue(Files.isExecutable(Path.of(program)), "needs " + program);
    }

    String[] option() {
        return new String[] {"--runtime", name};
    }

    String runtimeName() {
        return name;
    }

    /// What the engine is told to run.
    ///
    /// @param folder for a script, where one is needed
    Path path(Path folder) {
        if (this != CRUN || !Files.isDirectory(UNIFIED)) return Path.of(program);
        // crun 1.8 refuses control groups of both versions at once, so it does not get to see version 2.
        Path script = folder.resolve("crun");
        try {
            Files.writeString(script, "#!/bin/sh\nexec unshare --mount sh -c 'umount " + UNIFIED + "; exec " + program + " \"$@\"' crun \"$@\"\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        script.toFile().setExecutable(true);
        return script;
    }
}
