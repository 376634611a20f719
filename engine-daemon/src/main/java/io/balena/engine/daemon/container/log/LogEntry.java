package io.balena.engine.daemon.container.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// One line of a log file: `{"log":"hello\n","stream":"stdout","time":"2026-01-02T03:04:05.678Z"}`.
///
/// @param text as written by the container, usually with its newline
/// @param attributes labels and variables that were asked for with the log options; usually empty
public record LogEntry(Stream stream, byte[] text, Instant time, Map<String, String> attributes) {
    private static final JsonFactory JSON = new JsonFactory();

    /// Which output it was written to, by its number in Docker's multiplexed form.
    public enum Stream {
        STDOUT(1), STDERR(2);

        private final int number;

        Stream(int number) {
            this.number = number;
        }

        public int number() {
            return number;
        }
    }

    /// @return empty for what is no entry: a line torn by a power cut must not hide those after it
    static Optional<LogEntry> parse(byte[] line) {
        byte[] text = null;
        Stream stream = Stream.STDOUT;
        Instant time = null;
        Map<String, String> attributes = Map.of();
        try (JsonParser json = JSON.createParser(line)) {
            if (json.nextToken() != JsonToken.START_OBJECT) return Optional.empty();
            for (String field = json.nextFieldName(); field != null; field = json.nextFieldName()) {
                json.nextToken();
                switch (field) {
                    case "log" -> text = json.getText().getBytes(UTF_8);
                    case "stream" -> stream = json.getText().equals("stderr") ? Stream.STDERR : Stream.STDOUT;
                    case "time" -> time = Instant.parse(json.getText());
                    case "attrs" -> attributes = attributes(json);
                    default -> json.skipChildren();
                }
            }
        } catch (IOException | DateTimeException e) {
            return Optional.empty();
        }
        return text == null || time == null ? Optional.empty() : Optional.of(new LogEntry(stream, text, time, attributes));
    }

    private static Map<String, String> attributes(JsonParser json) throws IOException {
        Map<String, String> attributes = new TreeMap<>();
        if (json.currentToken() != JsonToken.START_OBJECT) return attributes;
        for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
            json.nextToken();
            attributes.put(name, json.getText());
        }
        return attributes;
    }
}
