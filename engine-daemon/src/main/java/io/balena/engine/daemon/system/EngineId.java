package io.balena.engine.daemon.system;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.DurableFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.UUID;

/// The engine's name for itself, the same as long as its data root lives: `<data-root>/engine-id`. Made when first asked for.
final class EngineId {
    private final Path file;
    private String id;

    EngineId(Path dataRoot) {
        file = dataRoot.resolve("engine-id");
    }

    synchronized String get() throws IOException {
        if (id == null) id = read();
        return id;
    }

    private String read() throws IOException {
        try {
            String stored = Files.readString(file).strip();
            // A power cut under an engine that did not sync leaves an empty file or zeros.
            if (!stored.isEmpty() && stored.chars().allMatch(c -> c > ' ' && c < 0x7f)) return stored;
        } catch (NoSuchFileException e) {
            // the first time
        }
        String made = UUID.randomUUID().toString();
        DurableFile.replace(file, made.getBytes(UTF_8), "rw-------");
        return made;
    }
}
