package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/// systemd's journal, without systemd: in a mount namespace with `/run/systemd` and `/run/log` of its own.
final class Journald implements AutoCloseable {
    private static final Path PROGRAM = Path.of("/lib/systemd/systemd-journald");

    /// Keeps the namespace alive.
    private final Process namespace;
    private Process journald;

    private Journald(Process namespace) {
        this.namespace = namespace;
    }

    static Journald start() {
        assumeTrue(Files.isExecutable(PROGRAM) && Files.isExecutable(Path.of("/usr/bin/journalctl")), "needs systemd-journald");
        try {
            var made = new Journald(new ProcessBuilder("unshare", "--mount", "sh", "-c", "mount --make-rprivate / && mount -t tmpfs none /run/systemd"
                    + " && mkdir -p /run/systemd/journal /run/log && mount -t tmpfs none /run/log && mkdir /run/log/journal && echo made && exec sleep infinity")
                    .start());
            if (!"made".equals(made.namespace.inputReader().readLine())) throw new IOException("no mount namespace");
            made.startJournald();
            return made;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Words before a command that is to be in the journal's namespace.
    List<String> within() {
        return List.of("nsenter", "--mount=/proc/" + namespace.pid() + "/ns/mnt");
    }

    Command command(String... words) {
        return Command.of(within().toArray(String[]::new)).and(words);
    }

    void startJournald() throws IOException {
        var words = new java.util.ArrayList<>(within());
        words.add(PROGRAM.toString());
        journald = new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        if (!Engine.become(Duration.ofSeconds(30), () -> command("journalctl", "--sync").run().status() == 0)) {
            throw new AssertionError("journald does not start");
        }
    }

    void stopJournald() {
        end(journald);
        command("rm", "-f", "/run/systemd/journal/socket").run().succeeded();
    }

    private static void end(Process process) {
        process.destroy();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override public void close() {
        end(journald);
        end(namespace);
    }
}
