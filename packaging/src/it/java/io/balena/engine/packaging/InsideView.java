package io.balena.engine.packaging;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// What one process found in a container, in words that do not depend on which container of which engine it is.
record InsideView(Map<String, String> facts) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /// @param printed what `probe.py` has printed; its last line counts
    /// @param first the view of the container's first process; null for that one
    static InsideView of(String printed, Engine engine, String container, Map<String, String> first) {
        Map<String, String> facts = new TreeMap<>(raw(printed));
        if (first == null) first = facts;
        Map<String, String> plain = new TreeMap<>();
        for (var fact : facts.entrySet()) {
            boolean isNamespace = fact.getKey().startsWith("ns.");
            plain.put(fact.getKey(), isNamespace ? whose(fact, engine, first) : normalised(fact.getValue(), engine, container));
        }
        return new InsideView(plain);
    }

    static Map<String, String> raw(String printed) {
        List<String> lines = printed.lines().filter(line -> line.startsWith("{")).toList();
        if (lines.isEmpty()) return Map.of("failure", printed);
        try {
            Map<String, String> facts = new TreeMap<>();
            JSON.readTree(lines.getLast()).properties().forEach(field -> facts.put(field.getKey(), field.getValue().asText()));
            return facts;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String whose(Map.Entry<String, String> namespace, Engine engine, Map<String, String> first) {
        String id = namespace.getValue();
        try {
            String file = namespace.getKey().substring("ns.".length());
            if (Files.readSymbolicLink(Path.of("/proc/" + engine.daemon().pid() + "/ns/" + file)).toString().equals(id)) return "the host's";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return id.equals(first.get(namespace.getKey())) ? "the container's" : "another";
    }

    private static String normalised(String value, Engine engine, String container) {
        return value.replace(container, "ID").replace(container.substring(0, 12), "SHORT-ID")
                .replace(engine.data().getParent().toString(), "/ENGINE");
    }
}
