package io.balena.engine.packaging.contract;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.packaging.contract.Exchanges.Exchange;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What the descriptions ask of an answer, whatever version it is of.
final class Contract {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern URI = Pattern.compile("(?:/v(\\d+)\\.(\\d+))?(/[^?]*)(?:\\?.*)?");
    /// What a request without a version means.
    private static final int OURS = 51;
    private static final int DOCKERDS = 41;

    private final TreeMap<Integer, ApiDescription> descriptions = new TreeMap<>();

    /// One thing that an answer should not have had.
    ///
    /// @param pointer into the body, with a star for each index
    /// @param rule in words
    record Violation(Endpoint endpoint, int minor, String pointer, String rule) {
        @Override
        public String toString() {
            return endpoint + " 1." + minor + ": " + (pointer.isEmpty() ? "/" : pointer) + ": " + rule;
        }
    }

    /// An answer, to be looked up.
    record Judged(Exchange exchange, Endpoint endpoint, int minor, List<Violation> violations) {}

    Contract(Path folder) throws IOException {
        for (int minor : new int[] {41, 44, 51}) descriptions.put(minor, ApiDescription.read(folder, "1." + minor));
    }

    ApiDescription newest() {
        return descriptions.lastEntry().getValue();
    }

    /// @return empty when the request is none of the API's
    Optional<Judged> judge(Exchange exchange) {
        Matcher uri = URI.matcher(exchange.uri());
        if (!uri.matches()) return Optional.empty();
        int asked = uri.group(2) == null ? exchange.engine() == Exchanges.Engine.OURS ? OURS : DOCKERDS : Integer.parseInt(uri.group(2));
        ApiDescription description = description(asked);
        boolean exact = description.version().equals("1." + asked);
        return description.endpoint(exchange.method(), uri.group(3)).map(endpoint -> {
            List<Violation> violations = new ArrayList<>();
            for (JsonNode body : bodies(exchange.json())) {
                for (String fault : description.faults(endpoint, exchange.status(), body)) {
                    // A version between two that are described has fields of either.
                    if (!exact && fault.contains("additional properties")) continue;
                    int colon = fault.indexOf(": ");
                    var violation = new Violation(endpoint, asked, fault.substring(0, colon).replaceAll("/\\d+(?=/|$)", "/*"), fault.substring(colon + 2));
                    if (!violations.contains(violation)) violations.add(violation);
                }
            }
            return new Judged(exchange, endpoint, asked, violations);
        });
    }

    /// The one of that version, or of the next that there is.
    private ApiDescription description(int minor) {
        var found = descriptions.ceilingEntry(minor);
        return found == null ? newest() : found.getValue();
    }

    /// One document, or a stream of them; none is one without a body.
    private static List<JsonNode> bodies(String json) {
        List<JsonNode> bodies = new ArrayList<>();
        if (json == null || json.isBlank()) {
            bodies.add(null);
            return bodies;
        }
        try (var documents = JSON.createParser(json)) {
            while (documents.nextToken() != null) bodies.add(documents.readValueAsTree());
        } catch (IOException e) {
            throw new UncheckedIOException(json, e);
        }
        return bodies;
    }
}
