package io.balena.engine.packaging;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

import static java.nio.charset.StandardCharsets.UTF_8;

/// A program with its arguments, run to its end. One that hangs is killed, and that is its failure.
record Command(List<String> words, Map<String, String> environment, Duration limit) {

    static Command of(String... words) {
        return new Command(List.of(words), Map.of(), Duration.ofSeconds(90));
    }

    Command and(String... more) {
        var all = new ArrayList<>(words);
        all.addAll(List.of(more));
        return new Command(all, environment, limit);
    }

    Command with(String variable, String value) {
        var all = new TreeMap<>(environment);
        all.put(variable, value);
        return new Command(words, all, limit);
    }

    Command within(Duration longest) {
        return new Command(words, environment, longest);
    }

    Outcome run() {
        return run(InputStream.nullInputStream());
    }

    Outcome run(String input) {
        return run(new java.io.ByteArrayInputStream(input.getBytes(UTF_8)));
    }

    Outcome run(InputStream input) {
        try {
            return runUnchecked(input);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private Outcome runUnchecked(InputStream input) throws IOException, InterruptedException {
        var process = start();
        var out = reading(process.getInputStream());
        var err = reading(process.getErrorStream());
        Thread.ofVirtual().start(() -> {
            try (var stdin = process.getOutputStream()) {
                input.transferTo(stdin);
            } catch (IOException _) {
                // the program need not read all of it
            }
        });
        if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            throw new AssertionError(String.join(" ", words) + " did not end within " + limit.toSeconds() + " s; so far:\n"
                    + new String(out.getNow(new byte[0]), UTF_8) + new String(err.getNow(new byte[0]), UTF_8));
        }
        return new Outcome(String.join(" ", words), process.exitValue(), out.join(), new String(err.join(), UTF_8));
    }

    private static CompletableFuture<byte[]> reading(InputStream stream) {
        var done = new CompletableFuture<byte[]>();
        Thread.ofVirtual().start(() -> {
            var bytes = new ByteArrayOutputStream();
            try (stream) {
                stream.transferTo(bytes);
            } catch (IOException _) {
                // a killed program's pipe
            }
            done.complete(bytes.toByteArray());
        });
        return done;
    }

    /// Starts it and leaves its streams to the caller.
    Process start() {
        var builder = new ProcessBuilder(words);
        builder.environment().keySet().removeIf(name -> name.startsWith("DOCKER_"));
        builder.environment().put("DOCKER_CONFIG", Path.of("/nonexistent/docker-config").toString());
        builder.environment().putAll(environment);
        try {
            return builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
