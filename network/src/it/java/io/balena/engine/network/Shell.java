package io.balena.engine.network;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/// Commands that look at, and prepare, what a test is about.
final class Shell {
    private Shell() {}

    /// @return what it printed
    static String run(String... command) throws IOException {
        var builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().merge("PATH", "/usr/sbin:/sbin", (old, more) -> old + ":" + more);
        var process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (process.waitFor() != 0) throw new IOException(String.join(" ", command) + ": " + output);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
        return output;
    }
}
