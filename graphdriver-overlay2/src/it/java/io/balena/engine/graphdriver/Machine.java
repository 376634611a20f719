package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/// The machine that the tests run on: what they need of it, and its commands.
final class Machine {
    private Machine() {}

    static void needsRoot() {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
    }

    static void needs(String tool) {
        assumeTrue(Stream.of("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin").anyMatch(d -> Files.isExecutable(Path.of(d, tool))),
                "needs " + tool);
    }

    /// Runs a shell command and returns what it wrote to its standard output.
    static String sh(String command) throws IOException {
        Process process = new ProcessBuilder("sh", "-ec", command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            assertEquals(0, process.waitFor(), command);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
        return out;
    }

    /// What a shell command writes to its standard output, as it comes.
    static InputStream stream(String command) throws IOException {
        return new ProcessBuilder("sh", "-ec", command).redirectError(ProcessBuilder.Redirect.INHERIT).start().getInputStream();
    }
}
