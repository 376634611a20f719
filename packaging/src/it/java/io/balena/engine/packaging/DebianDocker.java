package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// Debian's dockerd 20.10 on folders of its own and without a network: the engine that ours exchanges images with.
final class DebianDocker implements AutoCloseable {
    private final Path folder;
    private final Process daemon;

    private DebianDocker(Path folder, Process daemon) {
        this.folder = folder;
        this.daemon = daemon;
    }

    /// @param folder for its socket, its log and what it keeps; removed by whoever made it
    static DebianDocker start(Path folder) {
        assumeTrue(Files.isExecutable(Path.of("/usr/sbin/dockerd")), "needs dockerd");
        try {
            var process = new ProcessBuilder("/usr/sbin/dockerd", "-H", "unix://" + folder.resolve("sock"), "--data-root",
                    folder.resolve("root").toString(), "--exec-root", folder.resolve("exec").toString(), "--pidfile",
                    folder.resolve("pid").toString(), "--bridge=none", "--iptables=false", "--storage-driver=overlay2")
                    .redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile()).start();
            var docker = new DebianDocker(folder, process);
            if (!Engine.become(Duration.ofSeconds(60), () -> !process.isAlive() || docker.cli().run("version").status() == 0)
                    || !process.isAlive()) {
                docker.close();
                throw new AssertionError("dockerd did not start:\n" + Files.readString(folder.resolve("log")));
            }
            return docker;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    DockerCli cli() {
        return new DockerCli(DockerCli.newest(), "unix://" + folder.resolve("sock"), null);
    }

    @Override public void close() {
        daemon.destroy();
        try {
            if (!daemon.waitFor(40, TimeUnit.SECONDS)) daemon.destroyForcibly().waitFor();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
