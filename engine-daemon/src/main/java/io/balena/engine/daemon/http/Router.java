package io.balena.engine.daemon.http;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Finds the route of a request. Routes listed earlier win.
final class Router {
    /// A route and what its `{names}` stand for.
    record Match(Route route, Map<String, String> names) {}

    private record Candidate(Route route, List<String> pattern) {}

    // By method, then in the order of the table: a first segment decides nearly always, so a scan is cheap.
    private final Map<String, List<Candidate>> byMethod = new HashMap<>();

    Router(List<Route> routes) {
        for (Route route : routes) {
            byMethod.computeIfAbsent(route.method(), _ -> new ArrayList<>())
                    .add(new Candidate(route, List.of(route.path().substring(1).split("/", -1))));
        }
    }

    /// @param segments of the path, decoded, without the API version
    Optional<Match> find(String method, List<String> segments) {
        for (Candidate candidate : byMethod.getOrDefault(method, List.of())) {
            Map<String, String> names = match(candidate.pattern, segments);
            if (names != null) return Optional.of(new Match(candidate.route, names));
        }
        return Optional.empty();
    }

    private static Map<String, String> match(List<String> pattern, List<String> segments) {
        int surplus = segments.size() - pattern.size();
        if (surplus < 0) return null;
        Map<String, String> names = Map.of();
        int at = 0;
        for (String expected : pattern) {
            if (!expected.startsWith("{")) {
                if (at == segments.size() || !expected.equals(segments.get(at++))) return null;
                continue;
            }
            boolean many = expected.endsWith("...}");
            int end = at + 1 + (many ? surplus : 0);
            String value = String.join("/", segments.subList(at, end));
            if (value.isEmpty()) return null;
            if (names.isEmpty()) names = new HashMap<>(4);
            names.put(expected.substring(1, expected.length() - (many ? 4 : 1)), value);
            at = end;
        }
        return at == segments.size() ? names : null;
    }
}
