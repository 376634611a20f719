package io.balena.engine.runtime.command;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;

import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// The file that a caller is told a pid by. It appears with its content.
final class PidFile {
    private PidFile() {}

    /// @param path null for none
    static void write(String path, int pid) throws IOException {
        if (path == null || path.isEmpty()) return;
        Path file = Path.of(path).toAbsolutePath();
        Path unready = file.resolveSibling("." + file.getFileName());
        try {
            Files.write(unready, Integer.toString(pid).getBytes(StandardCharsets.US_ASCII));
            Files.move(unready, file, ATOMIC_MOVE);
        } catch (IOException e) {
            Files.deleteIfExists(unready);
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "open " + unready + ": no such file or directory");
        }
    }
}
