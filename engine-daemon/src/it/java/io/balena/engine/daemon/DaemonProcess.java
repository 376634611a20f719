package io.balena.engine.daemon;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/// A daemon of the code under test, in a process of its own, with everything it owns in one folder.
final class DaemonProcess implements AutoCloseable {
    final Path socket;
    private final Process process;
    private final StringBuffer log = new StringBuffer();
    private final CompletableFuture<Void> listening = new CompletableFuture<>();
    private final Thread reader;

    private DaemonProcess(Path socket, Process process) {
        this.socket = socket;
        this.process = process;
        this.reader = Thread.ofPlatform().daemon().start(this::readLog);
    }

    /// @param wrapper a command that runs the daemon's command line, which follows it; usually empty
    static DaemonProcess start(Path folder, List<String> wrapper, String... flags) throws IOException {
        List<String> command = new ArrayList<>(wrapper);
        command.addAll(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(), "-XX:+UseSerialGC", "-Xmx64m", "-XX:-UsePerfData",
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), DaemonMain.class.getName()));
        command.addAll(List.of("--data-root=" + folder.resolve("data"), "--exec-root=" + folder.resolve("exec"),
                "--pidfile=" + folder.resolve("engine.pid"), "--bridge=none", "--iptables=false"));
        command.addAll(List.of(flags));
        return new DaemonProcess(folder.resolve("api.sock"), new ProcessBuilder(command).redirectErrorStream(true).start());
    }

    private void readLog() {
        try (var lines = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line; (line = lines.readLine()) != null; ) {
                log.append(line).append('\n');
                if (line.contains("API listen on")) listening.complete(null);
            }
        } catch (IOException e) {
            // the process ended
        }
        listening.completeExceptionally(new IOException("the daemon ended: " + log));
    }

    /// Waits until the API can be reached.
    DaemonProcess ready() throws Exception {
        listening.get(60, TimeUnit.SECONDS);
        return this;
    }

    String log() {
        return log.toString();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /// @return its exit code
    int stop() throws InterruptedException {
        process.destroy();
        return end();
    }

    int end() throws InterruptedException {
        if (!process.waitFor(60, TimeUnit.SECONDS)) throw new AssertionError("the daemon does not end: " + log);
        reader.join(10_000);
        return process.exitValue();
    }

    int kill() throws InterruptedException {
        process.destroyForcibly();
        return end();
    }

    @Override
    public void close() throws Exception {
        if (process.isAlive()) stop();
    }
}
