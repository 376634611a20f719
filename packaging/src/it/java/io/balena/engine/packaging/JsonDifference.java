package io.balena.engine.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;

/// Where two JSON documents differ, field by field.
final class JsonDifference {
    private JsonDifference() {}

    /// @param explained regular expressions of paths, such as `/HostConfig/Dns.*`, that may differ
    /// @return a line for each other path: `path: one | two`
    static String of(JsonNode one, JsonNode two, List<String> explained) {
        var ones = leaves(one);
        var twos = leaves(two);
        var paths = new TreeSet<>(ones.keySet());
        paths.addAll(twos.keySet());
        var differences = new StringBuilder();
        for (var path : paths) {
            var here = ones.getOrDefault(path, "(absent)");
            var there = twos.getOrDefault(path, "(absent)");
            if (here.equals(there) || explained.stream().anyMatch(path::matches)) continue;
            differences.append(path).append(": ").append(here).append(" | ").append(there).append('\n');
        }
        return differences.toString();
    }

    private static TreeMap<String, String> leaves(JsonNode json) {
        var leaves = new TreeMap<String, String>();
        collect("", json, leaves);
        return leaves;
    }

    private static void collect(String path, JsonNode json, TreeMap<String, String> leaves) {
        if (json.isEmpty()) leaves.put(path, json.toString());
        int i = 0;
        for (var each : json.properties()) collect(path + "/" + each.getKey(), each.getValue(), leaves);
        if (json.isArray()) for (var each : json) collect(path + "/" + i++, each, leaves);
    }
}
