package io.balena.engine.daemon.http;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/// The `filters` of a list request: for each key the values of which one must match.
public record Filters(Map<String, Set<String>> values) {
    /// Reads both forms clients send: `{"name":["a"]}` (before 1.22) and `{"name":{"a":true}}`.
    ///
    /// @throws InvalidRequest when it is neither
    public static Filters parse(String json) {
        if (json.isEmpty()) return new Filters(Map.of());
        JsonNode root;
        try {
            root = Json.tree(json);
        } catch (InvalidRequest e) {
            throw new InvalidRequest("invalid filter: " + e.getMessage());
        }
        if (!root.isObject()) throw new InvalidRequest("invalid filter");
        Map<String, Set<String>> values = new HashMap<>();
        root.properties().forEach(entry -> values.put(entry.getKey(), valuesOf(entry.getValue())));
        return new Filters(values);
    }

    public Set<String> get(String key) {
        return values.getOrDefault(key, Set.of());
    }

    public boolean has(String key) {
        return values.containsKey(key);
    }

    /// Refuses keys the endpoint does not know: a filter that is silently ignored makes `prune` delete too much.
    ///
    /// @throws InvalidRequest `Invalid filter 'x'`, in Docker 20.10's spelling
    public void allow(Set<String> known) {
        for (String key : values.keySet()) {
            if (!known.contains(key)) throw new InvalidRequest("Invalid filter '" + key + "'");
        }
    }

    private static Set<String> valuesOf(JsonNode node) {
        Set<String> values = new LinkedHashSet<>();
        if (node.isArray()) {
            for (JsonNode value : node) {
                if (!value.isTextual()) throw new InvalidRequest("invalid filter");
                values.add(value.textValue());
            }
        } else if (node.isObject()) {
            node.properties().forEach(entry -> {
                if (!entry.getValue().isBoolean()) throw new InvalidRequest("invalid filter");
                if (entry.getValue().booleanValue()) values.add(entry.getKey());
            });
        } else {
            throw new InvalidRequest("invalid filter");
        }
        return values;
    }
}
