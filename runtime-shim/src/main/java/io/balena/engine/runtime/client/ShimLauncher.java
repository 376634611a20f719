package io.balena.engine.runtime.client;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;

import io.balena.engine.runtime.wire.Protocol;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Finds the shim of an exec root, or starts it.
///
/// The folder holds `shim.sock`, `shim.lock` (held by the shim while it lives), `shim.starting` (held by whoever starts one),
/// `shim.log` and the runtime's `containers`.
final class ShimLauncher {
    private static final int ATTEMPTS = 200;
    private static final int PAUSE_MILLIS = 25;
    private static final int MOST_LOG_BYTES = 256 << 10;
    /// What systemd says to the daemon's process.
    private static final List<String> OF_THE_DAEMON_ALONE =
            List.of("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES");
    // File locks are held by the JVM as a whole: this is for its threads.
    private static final Object STARTING = new Object();

    private final Path execRoot;
    private final ShimCommand command;

    ShimLauncher(Path execRoot, ShimCommand command) {
        this.execRoot = execRoot.toAbsolutePath();
        this.command = command;
    }

    Path socket() {
        return execRoot.resolve("shim.sock");
    }

    Path stateRoot() {
        return execRoot.resolve("containers");
    }

    /// Whether there is a shim, or containers that wait for one.
    boolean hasOrNeedsOne() throws IOException {
        if (Files.isDirectory(stateRoot())) {
            try (var containers = Files.newDirectoryStream(stateRoot())) {
                if (containers.iterator().hasNext()) return true;
            }
        }
        try (ShimLine _ = ShimLine.open(socket())) {
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    ShimLine connect() throws IOException {
        try {
            return ShimLine.open(socket());
        } catch (IOException e) {
            return start();
        }
    }

    /// Of several who find no shim, one starts it and the others wait.
    private ShimLine start() throws IOException {
        Files.createDirectories(execRoot);
        synchronized (STARTING) {
            try (var file = FileChannel.open(execRoot.resolve("shim.starting"), CREATE, WRITE);
                    var _ = file.lock()) {
                IOException last = null;
                for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
                    try {
                        return ShimLine.open(socket());
                    } catch (IOException e) {
                        last = e;
                    }
                    // Another shim may still be starting (its daemon died meanwhile) or ending: then we wait for it.
                    if (!launch()) pause();
                }
                throw new IOException("no shim at " + socket(), last);
            }
        }
    }

    /// @return false when another shim has the place
    private boolean launch() throws IOException {
        File log = execRoot.resolve("shim.log").toFile();
        if (log.length() > MOST_LOG_BYTES) log.delete();
        List<String> argv = new ArrayList<>(command.argv());
        argv.addAll(List.of(
                "--socket", socket().toString(),
                "--lock", execRoot.resolve("shim.lock").toString(),
                "--state", stateRoot().toString()));
        ProcessBuilder builder = new ProcessBuilder(argv)
                .directory(new File("/")) // keeps no file system busy
                .redirectInput(new File("/dev/null"))
                .redirectError(ProcessBuilder.Redirect.appendTo(log));
        builder.environment().keySet().removeAll(OF_THE_DAEMON_ALONE);
        Process process = builder.start();
        try (InputStream out = process.getInputStream()) {
            if (out.read() >= 0) return true;
            int code = process.waitFor();
            if (code == Protocol.PLACE_TAKEN) return false;
            throw new IOException("the shim ended at once with code " + code + ", see " + log + "; it was started by " + argv);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while starting the shim", e);
        }
    }

    private static void pause() throws IOException {
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for the shim", e);
        }
    }
}
