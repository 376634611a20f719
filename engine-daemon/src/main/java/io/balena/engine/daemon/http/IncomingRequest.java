package io.balena.engine.daemon.http;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.netty.handler.codec.http.HttpHeaders;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// A request that came over HTTP.
record IncomingRequest(ApiVersion version, Map<String, String> names, Map<String, List<String>> parameters, HttpHeaders headers, RequestBody body)
        implements Request {
    /// Longest JSON body in bytes. Container configurations with thousands of variables stay far below.
    private static final int MAX_JSON = 8 * 1024 * 1024;
    /// How long a client may take to send it.
    private static final Duration JSON_TIME = Duration.ofSeconds(HttpConnection.HEAD_SECONDS);

    @Override
    public String path(String name) {
        String value = names.get(name);
        if (value == null) throw new IllegalArgumentException("the route has no {" + name + "}");
        return value;
    }

    @Override
    public Optional<String> query(String name) {
        List<String> values = parameters.get(name);
        return values == null || values.getFirst().isEmpty() ? Optional.empty() : Optional.of(values.getFirst());
    }

    @Override
    public List<String> queries(String name) {
        return parameters.getOrDefault(name, List.of());
    }

    @Override
    public boolean flag(String name) {
        return switch (query(name).orElse("").strip().toLowerCase(Locale.ROOT)) {
            case "", "0", "no", "false", "none" -> false;
            default -> true;
        };
    }

    @Override
    public int integer(String name, int absent) {
        String text = query(name).orElse("");
        if (text.isEmpty()) return absent;
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new InvalidRequest("strconv.Atoi: parsing \"" + text + "\": invalid syntax");
        }
    }

    @Override
    public Filters filters() {
        return Filters.parse(query("filters").orElse(""));
    }

    @Override
    public Optional<String> header(String name) {
        return Optional.ofNullable(headers.get(name));
    }

    @Override
    public <T> T json(Class<T> type) {
        byte[] json = readJson();
        if (json.length == 0) throw new InvalidRequest("invalid JSON: got EOF while reading request body");
        return parsed(json, type);
    }

    @Override
    public Optional<JsonNode> optionalJson() {
        byte[] json = readJson();
        return json.length == 0 ? Optional.empty() : Optional.of(parsed(json, JsonNode.class));
    }

    private <T> T parsed(byte[] json, Class<T> type) {
        String contentType = header("Content-Type").orElse("");
        String media = contentType.split(";", 2)[0].strip();
        if (!media.equalsIgnoreCase("application/json")) {
            throw new InvalidRequest(contentType.isEmpty()
                    ? "malformed Content-Type header (): mime: no media type"
                    : "unsupported Content-Type header (" + contentType + "): must be 'application/json'");
        }
        return Json.read(json, type);
    }

    @Override
    public JsonNode json() {
        return json(JsonNode.class);
    }

    private byte[] readJson() {
        try {
            body.within(JSON_TIME);
            byte[] json = body.readNBytes(MAX_JSON + 1);
            if (json.length > MAX_JSON) throw new InvalidRequest("invalid JSON: http: request body too large");
            return json;
        } catch (IOException e) {
            throw new InvalidRequest("invalid JSON: " + e.getMessage());
        }
    }

    @Override
    public String toString() {
        return "request";
    }
}
