package io.balena.engine.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The terminal this program runs in, if it does. Modes and size are read and set by `stty`, for lack of native code.
final class Terminal {
    static final int STDIN = 0;
    static final int STDOUT = 1;
    static final int STDERR = 2;

    record Size(int rows, int columns) {}

    private Terminal() {}

    static boolean is(int descriptor) {
        try {
            var target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException _) {
            return false;
        }
    }

    /// @return the size, or 24 × 80 where it cannot be known
    static Size size() {
        var words = stty("size").split(" ");
        try {
            var size = new Size(Integer.parseInt(words[0]), Integer.parseInt(words[1]));
            if (size.rows > 0 && size.columns > 0) return size;
        } catch (RuntimeException _) {
            // no terminal, or no stty
        }
        return new Size(24, 80);
    }

    /// Hands every key to the program on the other side. Closing gives the terminal back as it was; so does exiting.
    static Raw raw() {
        var saved = stty("-g");
        if (saved.isEmpty()) return new Raw("");
        stty("raw", "-echo");
        return new Raw(saved);
    }

    static final class Raw implements AutoCloseable {
        private final String saved;
        private final Thread atExit = new Thread(this::restore);
        private boolean restored;

        private Raw(String saved) {
            this.saved = saved;
            Runtime.getRuntime().addShutdownHook(atExit);
        }

        private synchronized void restore() {
            if (!restored && !saved.isEmpty()) stty(saved);
            restored = true;
        }

        @Override public void close() {
            restore();
        }
    }

    private static String stty(String... arguments) {
        var command = new java.util.ArrayList<>(List.of("stty"));
        command.addAll(List.of(arguments));
        try {
            var process = new ProcessBuilder(command).redirectInput(ProcessBuilder.Redirect.INHERIT)
                    .redirectError(ProcessBuilder.Redirect.DISCARD).start();
            var output = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8).strip();
            return process.waitFor() == 0 ? output : "";
        } catch (IOException _) {
            return "";
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return "";
        }
    }
}
