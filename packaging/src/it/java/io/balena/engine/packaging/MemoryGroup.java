package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// A control group with a limit of memory, page cache included, as a small device would have.
final class MemoryGroup implements AutoCloseable {
    private static final Path V1 = Path.of("/sys/fs/cgroup/memory");
    private final Path folder;

    private MemoryGroup(Path folder) {
        this.folder = folder;
    }

    static MemoryGroup of(int megabytes) {
        boolean first = Files.isDirectory(V1);
        var folder = (first ? V1 : V1.getParent()).resolve("balena-it-" + ProcessHandle.current().pid() + "-" + System.nanoTime());
        try {
            Files.createDirectory(folder);
            var limit = folder.resolve(first ? "memory.limit_in_bytes" : "memory.max");
            if (!Files.exists(limit)) Files.delete(folder);
            assumeTrue(Files.exists(limit), "needs the memory controller");
            Files.writeString(limit, Long.toString((long) megabytes << 20));
            return new MemoryGroup(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Whatever memory the process, and those it starts, take from now on is counted here.
    void take(ProcessHandle process) {
        try {
            Files.writeString(folder.resolve("cgroup.procs"), Long.toString(process.pid()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// After its processes have ended.
    @Override public void close() {
        Engine.become(Duration.ofSeconds(20), () -> folder.toFile().delete());
    }
}
