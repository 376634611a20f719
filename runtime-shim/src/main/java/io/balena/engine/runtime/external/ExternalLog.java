package io.balena.engine.runtime.external;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/// What another runtime writes with `--log-format json`: one object a line, `{"level":"error","msg":"…","time":"…"}`.
final class ExternalLog {
    private static final JsonFactory JSON = new JsonFactory();

    private ExternalLog() {}

    /// The last error.
    static Optional<String> lastError(Path log) throws IOException {
        Optional<String> last = Optional.empty();
        try (var lines = Files.newBufferedReader(log)) {
            for (String line; (line = lines.readLine()) != null; ) {
                Optional<String> error = error(line);
                if (error.isPresent()) last = error;
            }
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        return last;
    }

    private static Optional<String> error(String line) throws IOException {
        String level = "";
        String message = "";
        try (var json = JSON.createParser(line)) {
            if (json.nextToken() != JsonToken.START_OBJECT) return Optional.empty();
            for (String field; (field = json.nextFieldName()) != null; ) {
                JsonToken value = json.nextToken();
                if (value.isStructStart()) json.skipChildren();
                else if (field.equals("level")) level = json.getText();
                else if (field.equals("msg")) message = json.getText();
            }
        } catch (JsonProcessingException e) {
            return Optional.empty(); // what a program prints that knows no --log-format
        }
        return level.equals("error") || level.equals("fatal") ? Optional.of(message.strip()) : Optional.empty();
    }
}
