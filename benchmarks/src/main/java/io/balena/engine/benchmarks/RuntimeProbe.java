package io.balena.engine.benchmarks;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.runtime.container.OciRuntime;
import io.balena.engine.runtime.process.StandardStreams;
import java.io.IOException;
import java.nio.file.Path;

/// Drives the runtime, and says how long each step took.
final class RuntimeProbe implements AutoCloseable {
    private final OciRuntime runtime;
    private final Path bundle;
    private final Fd nowhere;
    private int number;

    /// Nanoseconds of each step of one run.
    record Steps(long create, long start, long end, long delete) {
        long untilEnded() {
            return create + start + end;
        }
    }

    RuntimeProbe(Path stateRoot, Path bundle) throws IOException {
        this.runtime = new OciRuntime(stateRoot);
        this.bundle = bundle;
        this.nowhere = Fd.open(Path.of("/dev/null"), OpenFlags.RDWR);
    }

    /// Creates, starts, awaits and deletes a container.
    Steps run() throws IOException {
        String id = "bench-" + ProcessHandle.current().pid() + "-" + number++;
        long begin = System.nanoTime();
        var process = runtime.create(id, bundle, new StandardStreams.Pipes(nowhere, nowhere, nowhere));
        long created = System.nanoTime();
        runtime.start(id);
        long started = System.nanoTime();
        process.pidFd().awaitEnd();
        long ended = System.nanoTime();
        process.pidFd().close();
        runtime.delete(id);
        return new Steps(created - begin, started - created, ended - started, System.nanoTime() - ended);
    }

    @Override
    public void close() {
        nowhere.close();
    }
}
