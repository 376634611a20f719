package io.balena.engine.packaging.contract;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;

/// What was asked of engines in the tests and what they answered. Each process of the tests remembers its own; with
/// `-Dapi.recorded=true` it writes them down as well, for one that judges all of them.
public final class Exchanges {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final boolean WRITTEN = Boolean.getBoolean("api.recorded");
    private static final Path FOLDER = Path.of(System.getProperty("api.exchanges", "target/api-exchanges"));
    private static final Set<Exchange> OWN = new LinkedHashSet<>();
    private static Writer file;

    /// Who answered.
    public enum Engine { OURS, DOCKERD }

    /// @param uri path and query as sent
    /// @param json the body where it is JSON, or several documents of it; else `null`
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Exchange(Engine engine, String method, String uri, int status, String json) {}

    private Exchanges() {}

    /// Keeps one of those that are the same in all: pings above all.
    static synchronized void add(Exchange exchange) {
        if (!OWN.add(exchange) || !WRITTEN) return;
        try {
            if (file == null) {
                Files.createDirectories(FOLDER);
                file = Files.newBufferedWriter(FOLDER.resolve(ProcessHandle.current().pid() + ".jsonl"));
            }
            file.write(JSON.writeValueAsString(exchange) + "\n");
            file.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Those of this process, and what there is of others' where they are written down.
    public static synchronized Collection<Exchange> all() throws IOException {
        var all = new LinkedHashSet<>(OWN);
        if (!WRITTEN || !Files.isDirectory(FOLDER)) return all;
        try (var files = Files.list(FOLDER)) {
            for (Path each : files.toList()) {
                try (var lines = Files.lines(each)) {
                    lines.map(Exchanges::parse).forEach(all::add);
                }
            }
        }
        return all;
    }

    private static Exchange parse(String line) {
        try {
            return JSON.readValue(line, Exchange.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
