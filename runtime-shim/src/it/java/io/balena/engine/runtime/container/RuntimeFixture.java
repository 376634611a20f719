package io.balena.engine.runtime.container;

import io.balena.engine.linux.Fd;
import io.balena.engine.runtime.cgroup.CgroupFiles;
import io.balena.engine.runtime.cgroup.Hierarchies;
import io.balena.engine.runtime.process.StandardStreams;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Assumptions;

/// Runs bundles with [OciRuntime] and takes what they print. Everything is removed again by [#close].
public final class RuntimeFixture implements AutoCloseable {
    /// Of this process alone: another may run the same tests at the same time.
    public static final String CGROUP = "balena-it-" + ProcessHandle.current().pid();
    private static final AtomicInteger NUMBER = new AtomicInteger();

    public final Path stateRoot;
    public final OciRuntime runtime;
    private final Path folder;
    private final Set<String> ids = java.util.concurrent.ConcurrentHashMap.newKeySet();

    /// How a process ended.
    public record Ended(int code, String out, String err) {
        /// Both streams, for messages.
        @Override
        public String toString() {
            return "exit " + code + "\n" + out + err;
        }
    }

    public RuntimeFixture(Path folder) {
        Assumptions.assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        Assumptions.assumeTrue(Files.isExecutable(Bundle.BUSYBOX), "needs a static busybox in /bin");
        this.folder = folder;
        this.stateRoot = folder.resolve("state");
        this.runtime = new OciRuntime(stateRoot);
    }

    public Bundle bundle() throws IOException {
        return Bundle.in(Files.createDirectory(folder.resolve("bundle" + NUMBER.incrementAndGet())));
    }

    public String newId() {
        String id = "it-" + ProcessHandle.current().pid() + "-" + NUMBER.incrementAndGet();
        ids.add(id);
        return id;
    }

    public static String cgroupsPath(String id) {
        return "/" + CGROUP + "/" + id;
    }

    /// Creates, starts, waits for and deletes a container of its own.
    public Ended run(Bundle bundle) throws IOException {
        String id = newId();
        try (var streams = new Streams()) {
            var process = runtime.create(id, bundle.write(cgroupsPath(id)), streams.pipes());
            try (var pidFd = process.pidFd()) {
                try {
                    runtime.start(id);
                } catch (IOException e) {
                    pidFd.awaitEnd();
                    throw e;
                }
                return streams.await(pidFd);
            } finally {
                runtime.delete(id);
            }
        }
    }

    /// Executes a program in a running container and waits for it.
    public Ended exec(String id, byte[] process) throws IOException {
        try (var streams = new Streams()) {
            try (var pidFd = runtime.exec(id, process, streams.pipes()).pidFd()) {
                return streams.await(pidFd);
            }
        }
    }

    /// Three files in place of pipes: a test has no event loop.
    public final class Streams implements AutoCloseable {
        private final Path out = Files.createTempFile(folder, "out", "");
        private final Path err = Files.createTempFile(folder, "err", "");
        private final Fd stdin = open(Path.of("/dev/null"), 0);
        private final Fd stdout = open(out, 1);
        private final Fd stderr = open(err, 1);

        public Streams() throws IOException {}

        public StandardStreams pipes() {
            return new StandardStreams.Pipes(stdin, stdout, stderr);
        }

        public Ended await(io.balena.engine.linux.PidFd process) throws IOException {
            int code = process.awaitEnd();
            return new Ended(code, Files.readString(out), Files.readString(err));
        }

        private static Fd open(Path path, int flags) throws IOException {
            return io.balena.engine.linux.Fd.open(path, flags);
        }

        @Override
        public void close() {
            stdin.close();
            stdout.close();
            stderr.close();
        }
    }

    @Override
    public void close() throws IOException {
        for (String id : ids) runtime.delete(id);
        for (Path root : Hierarchies.read().roots()) CgroupFiles.remove(root.resolve(CGROUP));
    }

    /// Reads until the last process that has the terminal's other side has ended, which a terminal reports as EIO.
    static String readTerminal(Fd master) {
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        try {
            for (int count; (count = master.read(buffer)) > 0; ) {
                text.append(new String(buffer, 0, count, StandardCharsets.UTF_8));
            }
        } catch (IOException _) {
            // the end
        }
        return text.toString();
    }
}
