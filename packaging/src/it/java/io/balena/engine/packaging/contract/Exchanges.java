package io.balena.engine.packaging.contract;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.Stream;

/// What was asked of engines in the tests and what they answered, in a file from one run of Maven's to the next step of it.
public final class Exchanges {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path FOLDER = Path.of(System.getProperty("api.exchanges", "target/api-exchanges"));
    private static final Set<Exchange> WRITTEN = new HashSet<>();
    private static Writer file;

    /// Who answered.
    public enum Engine { OURS, DOCKERD }

    /// @param uri path and query as sent
    /// @param json the body where it is JSON, or several documents of it; else `null`
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Exchange(Engine engine, String method, String uri, int status, String json) {}

    private Exchanges() {}

    /// Keeps one of those that are the same in all: pings above all.
    static synchronized void add(Exchange exchange) {
        if (!WRITTEN.add(exchange)) return;
        try {
            if (file == null) {
                Files.createDirectories(FOLDER);
                file = Files.newBufferedWriter(recorded());
            }
            file.write(JSON.writeValueAsString(exchange) + "\n");
            file.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Path recorded() {
        return FOLDER.resolve("exchanges.jsonl");
    }

    static Stream<Exchange> all() {
        try {
            return Files.lines(recorded()).map(Exchanges::parse);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Exchange parse(String line) {
        try {
            return JSON.readValue(line, Exchange.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
