package io.balena.engine.packaging.contract;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.packaging.contract.Exchanges.Exchange;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What the descriptions ask of an answer, whatever version it is of.
public final class Contract {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern URI = Pattern.compile("(?:/v(\\d+)\\.(\\d+))?(/[^?]*)(?:\\?.*)?");
    /// Indices, and what networks are called.
    private static final Pattern NAMES = Pattern.compile("/\\d+(?=/|$)|(?<=/Networks)/[^/]+");
    /// What a request without a version means.
    private static final int OURS = 51;
    private static final int DOCKERDS = 41;

    private final TreeMap<Integer, ApiDescription> descriptions = new TreeMap<>();

    /// One thing that an answer should not have had.
    ///
    /// @param pointer into the body, with a star for each index and each network's name
    /// @param rule in words
    public record Violation(Endpoint endpoint, int minor, String pointer, String rule) {
        /// The same in whatever version.
        public String fault() {
            return endpoint + ": " + (pointer.isEmpty() ? "/" : pointer) + ": " + rule;
        }

        @Override
        public String toString() {
            return endpoint + " 1." + minor + ": " + (pointer.isEmpty() ? "/" : pointer) + ": " + rule;
        }
    }

    /// An answer, to be looked up.
    public record Judged(Exchange exchange, Endpoint endpoint, int minor, List<Violation> violations) {}

    /// @param folder of the descriptions
    public Contract(Path folder) throws IOException {
        for (int minor : new int[] {41, 44, 51}) descriptions.put(minor, ApiDescription.read(folder, "1." + minor));
    }

    /// Those of one version, or of the next that is described.
    public Collection<Endpoint> endpoints(int minor) {
        return description(minor).endpoints();
    }

    /// @return empty when the request is none of the API's
    public Optional<Judged> judge(Exchange exchange) {
        Matcher uri = URI.matcher(exchange.uri());
        if (!uri.matches()) return Optional.empty();
        int unasked = exchange.engine() == Exchanges.Engine.OURS ? OURS : DOCKERDS;
        return judge(exchange, uri.group(3), uri.group(2) == null ? unasked : Integer.parseInt(uri.group(2)));
    }

    /// By each description: what the older are silent about is described in the newer.
    public List<Judged> judgeByAll(Exchange exchange) {
        Matcher uri = URI.matcher(exchange.uri());
        if (!uri.matches()) return List.of();
        return descriptions.keySet().stream().map(minor -> judge(exchange, uri.group(3), minor)).flatMap(Optional::stream).toList();
    }

    private Optional<Judged> judge(Exchange exchange, String path, int asked) {
        ApiDescription description = description(asked);
        boolean exact = description.version().equals("1." + asked);
        return description.endpoint(exchange.method(), path).map(endpoint -> {
            Set<Violation> violations = new LinkedHashSet<>();
            for (JsonNode body : bodies(exchange.json())) {
                for (var fault : description.faults(endpoint, exchange.status(), body)) {
                    // A version between two that are described has fields of either.
                    if (!exact && fault.rule().equals(ApiDescription.NOT_DESCRIBED)) continue;
                    violations.add(new Violation(endpoint, asked, NAMES.matcher(fault.pointer()).replaceAll("/*"), fault.rule()));
                }
            }
            return new Judged(exchange, endpoint, asked, List.copyOf(violations));
        });
    }

    /// The one of that version, or of the next that there is.
    private ApiDescription description(int minor) {
        var found = descriptions.ceilingEntry(minor);
        return (found == null ? descriptions.lastEntry() : found).getValue();
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
