package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Proves to one registry who we are, for one repository: nothing, a password, or a bearer token that is fetched when the registry asks
/// for one and again before it expires. Safe for use by several transfers.
///
/// @see <a href="https://distribution.github.io/distribution/spec/auth/token/">distribution, token authentication</a>
final class Authorization {
    /// A registry that does not say how long its token lives means this.
    private static final long DEFAULT_LIFE_SECONDS = 60;
    /// A token is renewed so long before it expires.
    private static final long MARGIN_SECONDS = 10;
    private static final String CLIENT = "balena-engine";

    /// Sends a request to a token service; its body comes back whole, but not more than a mebibyte.
    interface TokenService {
        /// @throws RegistryFailure when it answers with anything but 200
        byte[] ask(HttpRequest.Builder request) throws IOException;
    }

    private final Credentials credentials;
    private final List<String> scopes;

    private String header;
    private long expiresNanos;
    private Optional<Challenge> bearer = Optional.empty();
    private final Map<String, Authorization> including = new HashMap<>();

    /// @param scopes what a token is to be good for, all at once
    Authorization(Credentials credentials, List<String> scopes) {
        this.credentials = credentials;
        this.scopes = List.copyOf(scopes);
        this.header = credentials instanceof Credentials.RegistryToken(String token) ? "Bearer " + token : null;
    }

    /// The same login, whose tokens are good for `scope` too. What the registry has asked us before it need not ask again.
    synchronized Authorization including(String scope) {
        return including.computeIfAbsent(scope, this::wider);
    }

    private Authorization wider(String scope) {
        Authorization wider = new Authorization(credentials, Stream.concat(scopes.stream(), Stream.of(scope)).toList());
        wider.bearer = bearer;
        wider.expiresNanos = System.nanoTime() - 1;
        if (bearer.isEmpty()) wider.header = header;
        return wider;
    }

    /// The value of `Authorization` for the next request, if any.
    synchronized Optional<String> header(TokenService service) throws IOException {
        if (bearer.isPresent() && System.nanoTime() - expiresNanos > 0) fetchToken(bearer.get(), service);
        return Optional.ofNullable(header);
    }

    /// Meets the challenge of a 401.
    ///
    /// @param refused the header that was sent, if any
    /// @return false when there is nothing (more) to show
    synchronized boolean answer(List<Challenge> challenges, Optional<String> refused, TokenService service) throws IOException {
        boolean renewedMeanwhile = header != null && !refused.equals(Optional.of(header));
        if (renewedMeanwhile) return true;
        if (credentials instanceof Credentials.RegistryToken) return false;
        for (Challenge challenge : challenges) {
            if (!challenge.scheme().equals("bearer")) continue;
            fetchToken(challenge, service);
            bearer = Optional.of(challenge);
            return true;
        }
        boolean basic = challenges.stream().anyMatch(challenge -> challenge.scheme().equals("basic"));
        if (basic && refused.isEmpty() && credentials instanceof Credentials.Password password) {
            header = basic(password);
            return true;
        }
        return false;
    }

    private void fetchToken(Challenge challenge, TokenService service) throws IOException {
        JsonNode answer = Json.MAPPER.readTree(service.ask(tokenRequest(challenge)));
        String token = answer.path("token").asText(answer.path("access_token").asText(""));
        if (token.isEmpty() || token.chars().anyMatch(c -> c <= ' ' || c > '~')) {
            throw RegistryFailure.unauthorized("authorization server did not include a token in the response");
        }
        long life = Math.max(DEFAULT_LIFE_SECONDS, answer.path("expires_in").asLong(DEFAULT_LIFE_SECONDS));
        header = "Bearer " + token;
        expiresNanos = System.nanoTime() + Duration.ofSeconds(Math.min(life, 86_400) - MARGIN_SECONDS).toNanos();
    }

    private HttpRequest.Builder tokenRequest(Challenge challenge) throws IOException {
        String realm = challenge.parameter("realm");
        String service = challenge.parameter("service");
        try {
            return switch (credentials) {
                case Credentials.IdentityToken(String refresh) -> HttpRequest.newBuilder(URI.create(realm))
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .POST(BodyPublishers.ofString(form(Map.of(
                                "grant_type", "refresh_token",
                                "service", service,
                                "client_id", CLIENT,
                                "refresh_token", refresh), List.of(String.join(" ", scopes)))));
                case Credentials.Password password -> HttpRequest.newBuilder(query(realm, Map.of(
                                "service", service, "account", password.username())))
                        .header("Authorization", basic(password));
                case Credentials.Anonymous _, Credentials.RegistryToken _ ->
                    HttpRequest.newBuilder(query(realm, Map.of("service", service)));
            };
        } catch (IllegalArgumentException e) {
            throw RegistryFailure.unauthorized("invalid realm of the authorization server: " + realm);
        }
    }

    private URI query(String realm, Map<String, String> parameters) {
        URI base = URI.create(realm);
        return URI.create(realm + (base.getRawQuery() == null ? "?" : "&") + form(parameters, scopes));
    }

    /// @param scopes the one parameter that may come several times
    private static String form(Map<String, String> parameters, List<String> scopes) {
        return Stream.concat(parameters.entrySet().stream(), scopes.stream().map(scope -> Map.entry("scope", scope)))
                .filter(parameter -> !parameter.getValue().isEmpty())
                .map(parameter -> parameter.getKey() + "=" + URLEncoder.encode(parameter.getValue(), UTF_8))
                .sorted()
                .collect(Collectors.joining("&"));
    }

    private static String basic(Credentials.Password password) {
        String pair = password.username() + ":" + password.password();
        return "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(UTF_8));
    }
}
