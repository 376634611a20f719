package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/// Where `balena-engine-runc` says what went wrong: stderr, or `--log`, as text or `--log-format json`. An error goes to both.
final class CommandLog {
    private final Path file;
    private final boolean json;

    /// @param file null for stderr
    /// @throws ContainerFailure when the format is unknown
    CommandLog(Path file, String format) throws ContainerFailure {
        this.file = file;
        this.json = format.equals("json");
        if (!json && !format.equals("text")) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "invalid log-format: " + format);
        }
    }

    void error(String message) {
        line("error", message);
        if (file != null) System.err.println(message);
    }

    void warning(String message) {
        line("warning", message);
    }

    private void line(String level, String message) {
        String time = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
        String text;
        if (json) {
            text = new JsonOut(false).beginObject().field("level", level).field("msg", message).field("time", time).endObject().toString();
        } else {
            text = "time=\"" + time + "\" level=" + level + " msg=" + JsonOut.quoted(message);
        }
        if (file == null) {
            System.err.println(text);
            return;
        }
        try {
            byte[] bytes = (text + "\n").getBytes(StandardCharsets.UTF_8);
            Files.write(file, bytes, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            System.err.println(text);
        }
    }
}
