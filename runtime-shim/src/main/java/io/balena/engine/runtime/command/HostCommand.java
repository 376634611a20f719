package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// A program of the host whose output is wanted.
final class HostCommand {
    private HostCommand() {}

    /// @throws ContainerFailure when it fails
    static String output(List<String> command) throws IOException {
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "exec: \"" + command.getFirst() + "\": executable file not found in $PATH");
        }
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            int code = process.waitFor();
            if (code != 0) throw new ContainerFailure(ContainerFailure.Kind.SETUP, "exit status " + code + ": " + output);
            return output;
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted");
        }
    }
}
