package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A list that a registry serves page by page, each naming the next.
///
/// @param field of each page's JSON that holds the names
/// @see <a href="https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags">distribution-spec, listing tags</a>
record Listing(RegistrySession session, String resource, String field) {
    private static final int LARGEST_PAGE = 4 << 20;
    private static final Pattern NEXT = Pattern.compile("<([^>]+)>\\s*;\\s*rel=\"?next\"?.*");

    /// All names there are, but not more than `most`.
    List<String> all(int most, Cancellation cancellation) throws IOException {
        Set<String> names = new LinkedHashSet<>();
        Optional<String> page = Optional.of(resource);
        while (page.isPresent()) {
            HttpResponse<ResponseBody> response = session.send(RegistryRequest.get(page.get(), Map.of()), cancellation);
            byte[] json = RegistrySession.readAtMost(LARGEST_PAGE, response, "a page of " + resource);
            // A registry that goes round in circles says nothing new.
            boolean more = read(json, most, names);
            page = more ? next(response) : Optional.empty();
        }
        return List.copyOf(names);
    }

    /// @return whether it is worth asking for the next page
    private boolean read(byte[] json, int most, Set<String> names) {
        JsonNode listed;
        try {
            listed = Json.MAPPER.readTree(json).path(field);
        } catch (IOException e) {
            throw new DistributionException.InvalidContent("invalid answer for " + resource + ": " + Json.reason(e), e);
        }
        boolean news = false;
        for (JsonNode name : listed) {
            if (names.size() == most) return false;
            news |= name.isTextual() && names.add(name.textValue());
        }
        return news;
    }

    /// Wherever it points to, it is asked of the same registry.
    private static Optional<String> next(HttpResponse<?> response) throws IOException {
        Matcher link = NEXT.matcher(response.headers().firstValue("Link").orElse(""));
        if (!link.matches()) return Optional.empty();
        try {
            URI next = response.uri().resolve(link.group(1));
            return Optional.of(next.getRawPath() + (next.getRawQuery() == null ? "" : "?" + next.getRawQuery()));
        } catch (IllegalArgumentException e) {
            throw new IOException("invalid link to the next page: " + link.group(1), e);
        }
    }
}
