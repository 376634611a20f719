package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URLEncoder;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// One search of one registry. The question of the first registry protocol is asked, which Docker Hub still answers; another registry that
/// does not know it is asked for its catalogue.
///
/// @param domain of the registry
/// @param term what to look for there
/// @see <a href="https://distribution.github.io/distribution/spec/api/#listing-repositories">distribution, listing repositories</a>
record Search(String domain, String term, int limit) {
    private static final int LARGEST_ANSWER = 4 << 20;
    private static final int LARGEST_CATALOGUE = 10_000;
    private static final int PAGE = 1000;

    /// @param text a term, or `registry.example[:port]/term`
    /// @throws DistributionException.InvalidRequest in dockerd's words
    static Search of(String text, int limit) {
        if (text.contains("://")) {
            throw new DistributionException.InvalidRequest("Invalid repository name (ex: \"registry.domain.tld/myrepos\")");
        }
        if (limit < 1 || limit > 100) {
            throw new DistributionException.InvalidRequest("Limit " + limit + " is outside the range of [1, 100]");
        }
        int slash = text.indexOf('/');
        String first = slash < 0 ? "" : text.substring(0, slash);
        boolean elsewhere = first.contains(".") || first.contains(":") || first.equals("localhost");
        if (elsewhere && !ImageReference.isDomain(first)) throw new DistributionException.InvalidRequest("invalid reference format");
        if (elsewhere && !first.equals("docker.io") && !first.equals("index.docker.io")) return new Search(first, text.substring(slash + 1), limit);
        String term = elsewhere ? text.substring(slash + 1) : text;
        return new Search("docker.io", term.startsWith("library/") ? term.substring("library/".length()) : term, limit);
    }

    List<FoundRepository> run(Credentials credentials, RegistryConfig config, HttpConnections connections) throws IOException {
        Endpoint endpoint = config.endpoints().toSearch(domain);
        var authorization = new Authorization(credentials, "registry:catalog:*");
        try (RegistrySession session = RegistrySession.open(endpoint, authorization, config, connections)) {
            return RegistryEndpoints.isHub(domain) ? index(session) : indexOrCatalogue(session);
        } catch (UnreachableRegistry e) {
            throw new DistributionException.Unavailable(endpoint.mayBePlain() ? e.getMessage() : withAdvice(e, config), e);
        }
    }

    private List<FoundRepository> indexOrCatalogue(RegistrySession session) throws IOException {
        try {
            return index(session);
        } catch (DistributionException | RegistryFailure e) {
            return catalogue(session);
        }
    }

    private List<FoundRepository> index(RegistrySession session) throws IOException {
        String question = "/v1/search?q=" + URLEncoder.encode(term, UTF_8) + "&n=" + limit;
        HttpResponse<ResponseBody> response = session.answer(RegistryRequest.get(question, Map.of()), new Cancellation());
        if (response.statusCode() != 200) {
            response.body().close();
            throw new DistributionException.Unavailable("Unexpected status code " + response.statusCode(), null);
        }
        byte[] json = RegistrySession.readAtMost(LARGEST_ANSWER, response, "the search's answer");
        try {
            List<FoundRepository> found = new ArrayList<>();
            for (JsonNode result : Json.MAPPER.readTree(json).path("results")) found.add(read(result));
            return found;
        } catch (IOException e) {
            throw new DistributionException.InvalidContent("error decoding registry search results: " + Json.reason(e), e);
        }
    }

    private List<FoundRepository> catalogue(RegistrySession session) throws IOException {
        List<String> names;
        try {
            names = new Listing(session, "/v2/_catalog?n=" + PAGE, "repositories").all(LARGEST_CATALOGUE, new Cancellation());
        } catch (RegistryFailure e) {
            if (e.status() != 404) throw e;
            throw new DistributionException.Unavailable("Unexpected status code 404", e);
        }
        return names.stream()
                .filter(name -> name.contains(term))
                .limit(limit)
                .map(name -> new FoundRepository(domain + "/" + name, "", false, false, 0))
                .toList();
    }

    private static FoundRepository read(JsonNode result) {
        return new FoundRepository(result.path("name").asText(""), result.path("description").asText(""),
                result.path("is_official").asBoolean(), result.path("is_automated").asBoolean(), result.path("star_count").asInt());
    }

    private String withAdvice(UnreachableRegistry e, RegistryConfig config) {
        String message = "invalid registry endpoint https://" + domain + "/v1/: " + e.getMessage();
        if (RegistryEndpoints.isHub(domain)) return e.getMessage();
        String folder = config.endpoints().certificates().isEmpty() ? "certs.d" : config.endpoints().certificates().getFirst().toString();
        return message + ". If this private registry supports only HTTP or HTTPS with an unknown CA certificate, please add "
                + "`--insecure-registry " + domain + "` to the daemon's arguments. In the case of HTTPS, if you have access to the registry's CA "
                + "certificate, no need for the flag; simply place the CA certificate at " + folder + "/" + domain + "/ca.crt";
    }
}
