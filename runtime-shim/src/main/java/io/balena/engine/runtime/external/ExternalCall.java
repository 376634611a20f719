package io.balena.engine.runtime.external;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.process.StandardStreams;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/// One run of another runtime's program, with the files it reads and writes, which are gone after [#close].
final class ExternalCall implements AutoCloseable {
    /// Longer than any runtime takes, its hooks included; one that hangs must not keep a worker for ever.
    private static final int MOST_MILLIS = 120_000;
    private static final int MOST_OUTPUT = 4096;
    private static final AtomicInteger NUMBER = new AtomicInteger();

    private final RuntimeCommand command;
    private final Path folder;
    private final List<String> options;
    private final List<Path> files = new ArrayList<>();
    private final int number = NUMBER.incrementAndGet();
    private final Path log;

    /// @param folder for its files
    /// @param root where runtimes of this kind keep what they know of their containers
    ExternalCall(RuntimeCommand command, Path folder, Path root, List<String> options) {
        this.command = command;
        this.folder = folder;
        this.log = file("log.json");
        this.options = new ArrayList<>(List.of("--root", root.toString(), "--log", log.toString(), "--log-format", "json"));
        this.options.addAll(options);
    }

    /// The path of a file of this call alone.
    Path file(String name) {
        Path file = folder.resolve(number + "-" + name);
        files.add(file);
        return file;
    }

    /// @throws ContainerFailure in the runtime's words when it did not do it
    void run(List<String> verb) throws IOException {
        Path output = file("output");
        try (Fd nothing = Fd.openNull();
                Fd out = Fd.open(output, OpenFlags.WRONLY | OpenFlags.CREAT | OpenFlags.APPEND, 0600)) {
            run(verb, nothing, out, out, Optional.of(output));
        }
    }

    /// With the streams that the container's process is to have.
    void run(List<String> verb, StandardStreams.Pipes streams) throws IOException {
        run(verb, streams.stdin(), streams.stdout(), streams.stderr(), Optional.empty());
    }

    private void run(List<String> verb, Fd in, Fd out, Fd err, Optional<Path> output) throws IOException {
        List<String> words = new ArrayList<>();
        words.add(command.program());
        words.addAll(command.arguments());
        words.addAll(options);
        words.addAll(verb);
        int code;
        try {
            code = HostProgram.run(words, in, out, err, MOST_MILLIS);
        } catch (HostProgram.NotExecuted e) {
            throw failure("unable to retrieve OCI runtime error (open " + log + ": no such file or directory): " + e.getMessage());
        }
        if (code == 0) return;
        Optional<String> error = ExternalLog.lastError(log);
        if (error.isPresent()) throw failure(error.get());
        String said = output.isPresent() ? ": " + beginning(output.get()) : "";
        throw failure(command.program() + " did not terminate successfully: exit status " + code + said);
    }

    private static String beginning(Path output) throws IOException {
        try (var in = Files.newInputStream(output)) {
            return new String(in.readNBytes(MOST_OUTPUT), UTF_8).strip();
        }
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message, true);
    }

    @Override
    public void close() {
        for (Path file : files) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                // It goes with the container's folder.
            }
        }
    }
}
