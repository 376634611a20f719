package io.balena.engine.daemon.http;

import java.util.Map;
import java.util.Set;

/// The `filters` of a list request: for each key the values of which one must match.
public record Filters(Map<String, Set<String>> values) {
    public Set<String> get(String key) {
        return values.getOrDefault(key, Set.of());
    }

    public boolean has(String key) {
        return values.containsKey(key);
    }
}
