package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
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
    private static final long LONGEST_LIFE_SECONDS = 86_400;
    private static final String CLIENT = "balena-engine";

    /// @param sent by the service's own clock, if it says so
    record TokenAnswer(byte[] body, Optional<Instant> sent) {}

    /// Sends a request to a token service; its body comes back whole, but not more than a mebibyte.
    interface TokenService {
        /// @throws RegistryFailure when it answers with anything but 200
        TokenAnswer ask(HttpRequest.Builder request) throws IOException;
    }

    private final Credentials credentials;
    private final List<String> scopes;
    private final boolean login;

    private String header;
    private long expiresNanos;
    private Optional<Challenge> bearer = Optional.empty();
    private Optional<String> identityToken = Optional.empty();
    private final Map<String, Authorization> including = new HashMap<>();

    /// @param scope what a token is to be good for
    Authorization(Credentials credentials, String scope) {
        this(credentials, List.of(scope), false);
    }

    /// For a login: good for nothing yet, and to be kept by an identity token where the service has such.
    static Authorization ofLogin(Credentials credentials) {
        return new Authorization(credentials, List.of(), true);
    }

    private Authorization(Credentials credentials, List<String> scopes, boolean login) {
        this.credentials = credentials;
        this.scopes = scopes;
        this.login = login;
        this.header = credentials instanceof Credentials.RegistryToken(String token) ? "Bearer " + token : null;
    }

    /// The same login, whose tokens are good for `scope` too. What the registry has asked us before it need not ask again.
    synchronized Authorization including(String scope) {
        return including.computeIfAbsent(scope, this::wider);
    }

    private Authorization wider(String scope) {
        Authorization wider = new Authorization(credentials, Stream.concat(scopes.stream(), Stream.of(scope)).toList(), login);
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
        boolean basic = challenges.stream().anyMatch(challenge -> challenge.scheme().equals("basic"))
                && refused.isEmpty()
                && credentials instanceof Credentials.Password;
        for (Challenge challenge : challenges) {
            if (!challenge.scheme().equals("bearer")) continue;
            try {
                fetchToken(challenge, service);
            } catch (RegistryFailure e) {
                if (basic) break;
                throw e;
            }
            bearer = Optional.of(challenge);
            return true;
        }
        if (basic) header = basic((Credentials.Password) credentials);
        return basic;
    }

    /// A token that this login can be kept by, without the password, if the service gave us one.
    synchronized Optional<String> identityToken() {
        return identityToken;
    }

    private void fetchToken(Challenge challenge, TokenService service) throws IOException {
        TokenAnswer answered = service.ask(tokenRequest(challenge));
        JsonNode answer = read(answered.body());
        String token = answer.path("access_token").asText(answer.path("token").asText(""));
        if (token.isEmpty() || token.chars().anyMatch(c -> c <= ' ' || c > '~')) {
            throw RegistryFailure.unauthorized("authorization server did not include a token in the response");
        }
        header = "Bearer " + token;
        expiresNanos = System.nanoTime() + Duration.ofSeconds(life(answer, answered.sent()) - MARGIN_SECONDS).toNanos();
        String kept = answer.path("refresh_token").asText("");
        if (!kept.isEmpty()) identityToken = Optional.of(kept);
    }

    private static JsonNode read(byte[] body) throws RegistryFailure {
        try {
            return Json.MAPPER.readTree(body);
        } catch (IOException e) {
            throw RegistryFailure.unauthorized("unable to decode token response: " + Json.reason(e));
        }
    }

    /// A token may have been lying somewhere between its issue and us. How long is told by the service's own clock, since that of a device
    /// is often wrong.
    ///
    /// @return seconds, at least docker's minimum
    private static long life(JsonNode answer, Optional<Instant> sent) {
        long life = Math.clamp(answer.path("expires_in").asLong(DEFAULT_LIFE_SECONDS), DEFAULT_LIFE_SECONDS, LONGEST_LIFE_SECONDS);
        Optional<Instant> issued = instant(answer.path("issued_at").asText(""));
        long age = issued.isEmpty() || sent.isEmpty() ? 0 : Duration.between(issued.get(), sent.get()).toSeconds();
        return Math.clamp(life - age, 0, life);
    }

    private static Optional<Instant> instant(String text) {
        try {
            return Optional.of(OffsetDateTime.parse(text).toInstant());
        } catch (DateTimeParseException e) {
            return Optional.empty();
        }
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
                case Credentials.Password password ->
                    HttpRequest.newBuilder(query(realm, service, password.username())).header("Authorization", basic(password));
                case Credentials.Anonymous _, Credentials.RegistryToken _ -> HttpRequest.newBuilder(query(realm, service, ""));
            };
        } catch (IllegalArgumentException e) {
            throw RegistryFailure.unauthorized("invalid realm of the authorization server: " + realm);
        }
    }

    private URI query(String realm, String service, String account) {
        URI base = URI.create(realm);
        Map<String, String> parameters = Map.of(
                "service", service,
                "account", account,
                "offline_token", login ? "true" : "",
                "client_id", login ? CLIENT : "");
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
