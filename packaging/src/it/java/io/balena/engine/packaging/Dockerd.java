package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/// Debian's dockerd on a data root of one's choice, in the network of an engine, to see what it makes of what we did.
final class Dockerd implements AutoCloseable {
    private static final String PROGRAM = "/usr/sbin/dockerd";

    private final Path folder;
    private final Process process;

    private Dockerd(Path folder, Process process) {
        this.folder = folder;
        this.process = process;
    }

    static void assumeInstalled() {
        assumeTrue(Files.isExecutable(Path.of(PROGRAM)), "needs dockerd");
    }

    /// @param data its data root, that no other engine is using
    static Dockerd start(Engine engine, Path data) {
        assumeInstalled();
        Path folder = engine.scratch();
        try {
            var process = new ProcessBuilder(engine.inside(PROGRAM, "-H", "unix://" + folder + "/sock", "--data-root", data.toString(),
                    "--exec-root", folder + "/exec", "--pidfile", folder + "/pid", "--bridge=none", "--iptables=false",
                    "--storage-driver=overlay2").words())
                    .redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile()).start();
            var dockerd = new Dockerd(folder, process);
            boolean answers = Engine.become(Duration.ofSeconds(60),
                    () -> !process.isAlive() || dockerd.docker().run("version").status() == 0);
            if (answers && process.isAlive()) return dockerd;
            dockerd.close();
            throw new AssertionError("dockerd did not start:\n" + Files.readString(folder.resolve("log")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    DockerCli docker() {
        return new DockerCli(DockerCli.newest(), "unix://" + folder.resolve("sock"), null);
    }

    @Override public void close() {
        process.destroy();
        try {
            if (!process.waitFor(40, TimeUnit.SECONDS)) process.destroyForcibly().waitFor();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
