package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// Debian's dockerd on a data root of its own, `<dir>/root`, and the docker command line that speaks to it.
final class Dockerd implements AutoCloseable {
    private final Path dir;
    private final Process process;

    private Dockerd(Path dir, Process process) {
        this.dir = dir;
        this.process = process;
    }

    static Dockerd start(Path dir) throws IOException {
        Machine.needs("dockerd");
        Process process = new ProcessBuilder("dockerd", "--data-root", dir.resolve("root").toString(), "--exec-root", dir + "/exec",
                "-H", "unix://" + dir + "/sock", "--pidfile", dir + "/pid", "--bridge=none", "--iptables=false", "--storage-driver=overlay2")
                .redirectErrorStream(true).start();
        var log = process.inputReader();
        String line = log.readLine();
        while (line != null && !line.contains("API listen on")) line = log.readLine();
        assertTrue(line != null, "dockerd started");
        Thread.ofVirtual().start(() -> log.lines().forEach(l -> {})); // so that it does not block on a full pipe
        return new Dockerd(dir, process);
    }

    /// What the command wrote to its standard output; it has to succeed.
    String docker(String command) throws IOException {
        return Machine.sh(command(command));
    }

    /// The command line to run in a shell.
    String command(String command) {
        return "docker -H unix://" + dir + "/sock " + command;
    }

    /// @param error what it wrote to its standard error when it failed, else empty
    record Outcome(String output, String error) {
        boolean succeeded() {
            return error.isEmpty();
        }
    }

    Outcome attempt(String command) throws IOException {
        var shell = new ProcessBuilder("sh", "-c", command(command)).redirectErrorStream(true).start();
        String output = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        try {
            return shell.waitFor() == 0 ? new Outcome(output, "") : new Outcome("", output.isEmpty() ? "failed" : output);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        process.toHandle().destroy(); // unlike Process.destroy(), it leaves the log open until it ends
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }
}
