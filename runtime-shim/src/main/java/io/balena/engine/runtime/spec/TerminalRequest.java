package io.balena.engine.runtime.spec;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Path;

/// Whether a process wants a terminal, and of which size: the only thing the shim reads in a runtime-spec.
///
/// @param rows in characters; 0 when nothing is said
public record TerminalRequest(boolean wanted, int rows, int columns) {
    private static final JsonFactory JSON = new JsonFactory();

    /// Of a bundle's `config.json`.
    public static TerminalRequest ofBundle(Path bundle) throws IOException {
        try (JsonParser json = JSON.createParser(bundle.resolve("config.json").toFile())) {
            return of(json);
        }
    }

    /// Of a `config.json`. What is not one is left to whoever reads all of it.
    public static TerminalRequest of(byte[] config) {
        try (JsonParser json = JSON.createParser(config)) {
            return of(json);
        } catch (IOException _) {
            return new TerminalRequest(false, 0, 0);
        }
    }

    private static TerminalRequest of(JsonParser json) throws IOException {
        if (json.nextToken() != JsonToken.START_OBJECT) throw new IOException("config.json is not an object");
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            boolean process = json.currentName().equals("process");
            if (json.nextToken() == JsonToken.START_OBJECT && process) return ofProcess(json);
            json.skipChildren();
        }
        return new TerminalRequest(false, 0, 0);
    }

    /// Of a `process` object alone.
    public static TerminalRequest ofProcess(byte[] processJson) throws IOException {
        try (JsonParser json = JSON.createParser(processJson)) {
            if (json.nextToken() != JsonToken.START_OBJECT) throw new IOException("process is not an object");
            return ofProcess(json);
        }
    }

    private static TerminalRequest ofProcess(JsonParser json) throws IOException {
        boolean wanted = false;
        int rows = 0;
        int columns = 0;
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String name = json.currentName();
            JsonToken value = json.nextToken();
            if (name.equals("terminal")) {
                wanted = value == JsonToken.VALUE_TRUE;
            } else if (name.equals("consoleSize") && value == JsonToken.START_OBJECT) {
                while (json.nextToken() == JsonToken.FIELD_NAME) {
                    String side = json.currentName();
                    json.nextToken();
                    if (side.equals("height")) rows = json.getValueAsInt();
                    else if (side.equals("width")) columns = json.getValueAsInt();
                    else json.skipChildren();
                }
            } else {
                json.skipChildren();
            }
        }
        return new TerminalRequest(wanted, rows, columns);
    }
}
