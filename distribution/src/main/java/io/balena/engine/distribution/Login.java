package io.balena.engine.distribution;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.util.Map;
import java.util.Optional;

/// One attempt to log in: the registry's front door is tried, and opened with what it asks for.
///
/// @see <a href="https://distribution.github.io/distribution/spec/api/#api-version-check">distribution, API version check</a>
record Login(Endpoint endpoint, RegistryConfig config, HttpConnections connections) {
    /// @param server with or without a scheme; what is behind the host does not matter
    /// @throws DistributionException.InvalidRequest when there is no host in it
    static Endpoint endpoint(String server, RegistryEndpoints endpoints) {
        if (server.isBlank()) return endpoints.of("docker.io");
        URI address;
        try {
            address = URI.create(server.matches("https?://.*") ? server : "https://" + server);
        } catch (IllegalArgumentException e) {
            throw new DistributionException.InvalidRequest("unable to parse server address: " + e.getMessage());
        }
        String host = address.getAuthority();
        // To a URI, a name whose last part is a number is no host, unless it is an address: 1.5e300.
        if (host == null || address.getHost() == null || !ImageReference.isDomain(host)) {
            throw new DistributionException.InvalidRequest("unable to parse server address: no host in it");
        }
        return endpoints.of(host.equals("index.docker.io") ? "docker.io" : host);
    }

    /// @return an identity token, if the token service hands out such
    Optional<String> attempt(Credentials credentials) throws IOException {
        Authorization authorization = Authorization.ofLogin(credentials);
        try (RegistrySession session = RegistrySession.open(endpoint, authorization, config, connections)) {
            HttpResponse<ResponseBody> response = knock(session);
            response.body().close();
            if (response.statusCode() == 200) return authorization.identityToken();
            throw new DistributionException.Refused(response.statusCode() == 401 ? 401 : 500,
                    "login attempt to " + response.uri() + " failed with status: " + status(response.statusCode()));
        }
    }

    private HttpResponse<ResponseBody> knock(RegistrySession session) throws IOException {
        try {
            return session.answer(RegistryRequest.get("/v2/", Map.of()), new Cancellation());
        } catch (RegistryFailure e) {
            boolean saysWhere = e.getMessage().startsWith("Get ");
            throw saysWhere ? e : e.of("Get \"" + session.place() + "/v2/\"");
        }
    }

    private static String status(int code) {
        return switch (code) {
            case 401 -> "401 Unauthorized";
            case 403 -> "403 Forbidden";
            case 404 -> "404 Not Found";
            case 500 -> "500 Internal Server Error";
            case 503 -> "503 Service Unavailable";
            default -> Integer.toString(code);
        };
    }
}
