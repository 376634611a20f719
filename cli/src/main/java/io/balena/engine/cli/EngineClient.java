package io.balena.engine.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.function.Consumer;

/// Requests to the engine, answered in JSON. Each has its own connection, so any number may be under way.
final class EngineClient {
    /// The oldest API that has all we use: both engines of 20.10's time and later ones speak it.
    private static final String API = "/v1.41";
    static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> JSON_BODY = Map.of("Content-Type", "application/json");

    private final EngineAddress address;

    EngineClient(EngineAddress address) {
        this.address = address;
    }

    EngineAddress address() {
        return address;
    }

    JsonNode get(Target target) {
        return exchange("GET", target, null);
    }

    JsonNode post(Target target) {
        return exchange("POST", target, null);
    }

    JsonNode post(Target target, JsonNode body) {
        return exchange("POST", target, body);
    }

    JsonNode delete(Target target) {
        return exchange("DELETE", target, null);
    }

    /// A request whose answer is a stream of JSON values, each handed on as it arrives.
    void stream(String method, Target target, Map<String, String> headers, Consumer<JsonNode> each) {
        try (var open = open(method, target, headers, null)) {
            forEachValue(open.answer.body(), each);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The same, with a body that is sent while it is read.
    void stream(Target target, InputStream body, String contentType, Consumer<JsonNode> each) {
        var connection = connect();
        try (connection) {
            var answer = connection.sendChunked("POST", API + target, Map.of("Content-Type", contentType), body);
            checked(answer);
            forEachValue(answer.body(), each);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// A request whose answer the caller reads at its own pace, and closes.
    Open open(String method, Target target) {
        return open(method, target, Map.of(), null);
    }

    /// Asks for the connection itself: what follows are raw bytes in both directions.
    Open hijack(Target target, JsonNode body) {
        return open("POST", target, Map.of("Connection", "Upgrade", "Upgrade", "tcp", "Content-Type", "application/json"),
                body == null ? null : bytes(body));
    }

    /// An answer that is still being received.
    record Open(HttpConnection connection, HttpConnection.Answer answer) implements AutoCloseable {
        JsonNode json() {
            try {
                return JSON.readTree(answer.body());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override public void close() throws IOException {
            connection.close();
        }
    }

    private Open open(String method, Target target, Map<String, String> headers, byte[] body) {
        var connection = connect();
        try {
            return new Open(connection, checked(connection.send(method, API + target, headers, body)));
        } catch (IOException | RuntimeException e) {
            try (connection) {
                throw e instanceof RuntimeException r ? r : new UncheckedIOException((IOException) e);
            } catch (IOException closing) {
                throw new UncheckedIOException(closing);
            }
        }
    }

    private JsonNode exchange(String method, Target target, JsonNode body) {
        try (var open = open(method, target, body == null ? Map.of() : JSON_BODY, body == null ? null : bytes(body))) {
            return JSON.readTree(open.answer.body());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private HttpConnection connect() {
        try {
            return new HttpConnection(address);
        } catch (IOException e) {
            throw new CommandFailed(1, "Cannot connect to the Docker daemon at " + address + ". Is the docker daemon running?");
        }
    }

    private static HttpConnection.Answer checked(HttpConnection.Answer answer) throws IOException {
        if (answer.status() < 400) return answer;
        var text = new String(answer.body().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8).strip();
        throw new ApiException(answer.status(), message(text));
    }

    private static String message(String text) {
        try {
            var message = JSON.readTree(text).path("message");
            return message.isTextual() ? message.textValue() : text;
        } catch (JsonProcessingException _) {
            return text;
        }
    }

    private static byte[] bytes(JsonNode body) {
        try {
            return JSON.writeValueAsBytes(body);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    static void forEachValue(InputStream body, Consumer<JsonNode> each) throws IOException {
        try (MappingIterator<JsonNode> values = JSON.readerFor(JsonNode.class).readValues(body)) {
            while (values.hasNextValue()) each.accept(values.nextValue());
        }
    }
}
