package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/// A registry answered, but not with what was asked for.
///
/// @see <a href="https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes">distribution-spec, error codes</a>
final class RegistryFailure extends IOException {
    private static final long serialVersionUID = 1L;
    private static final String NO_CREDENTIALS = "NO_CREDENTIALS";
    private static final String NO_BASIC = "no basic auth credentials";

    /// The registry's own word for it, e.g. `MANIFEST_UNKNOWN`; one that fits the status when it gave none.
    private final String code;
    private final int status;

    /// When the registry asks us to come back, if it says so.
    private final Optional<Duration> retryAfter;

    private RegistryFailure(int status, String code, String message, Optional<Duration> retryAfter) {
        super(message);
        this.status = status;
        this.code = code;
        this.retryAfter = retryAfter;
    }

    /// @param body the start of the response's body
    static RegistryFailure of(int status, HttpHeaders headers, byte[] body) {
        Answer answer = refusedToken(headers).or(() -> told(status, body)).orElseGet(() -> assumed(status));
        return new RegistryFailure(status, answer.code, answer.message, RetryAfter.of(headers));
    }

    /// An error in one of the forms that registries and the token services beside them use.
    private record Answer(String code, String message) {
        static Answer of(String code, String message) {
            String words = code.replace('_', ' ').toLowerCase(Locale.ROOT);
            return new Answer(code, words + ": " + (message.isEmpty() ? words : printable(message)));
        }
    }

    /// A registry says in its challenge that the token is not good enough: there is no such repository, or not for us.
    ///
    /// @see <a href="https://www.rfc-editor.org/rfc/rfc6750#section-3.1">RFC 6750, error codes</a>
    private static Optional<Answer> refusedToken(HttpHeaders headers) {
        return Challenge.parse(headers.allValues("WWW-Authenticate")).stream()
                .filter(challenge -> challenge.scheme().equals("bearer"))
                .flatMap(challenge -> {
                    String description = challenge.parameter("error_description");
                    return switch (challenge.parameter("error")) {
                        case "insufficient_scope" ->
                            Stream.of(Answer.of("DENIED", description.isEmpty() ? "requested access to the resource is denied" : description));
                        case "invalid_token" -> Stream.of(Answer.of("UNAUTHORIZED", description.isEmpty() ? "authentication required" : description));
                        default -> Stream.empty();
                    };
                })
                .findFirst();
    }

    private static Optional<Answer> told(int status, byte[] body) {
        JsonNode json;
        try {
            json = Json.MAPPER.readTree(body);
        } catch (IOException e) {
            return Optional.empty();
        }
        JsonNode first = json.path("errors").path(0);
        if (first.isObject()) return Optional.of(Answer.of(first.path("code").asText("UNKNOWN"), first.path("message").asText("")));
        // Docker Hub's token service, and OAuth 2 services (RFC 6749, section 5.2).
        String details = json.path("details").asText(json.path("error_description").asText(""));
        if (details.isEmpty()) details = json.path("error").asText("");
        return details.isEmpty() ? Optional.empty() : Optional.of(Answer.of(assumed(status).code, details));
    }

    private static Answer assumed(int status) {
        return switch (status) {
            case 401 -> new Answer("UNAUTHORIZED", "unauthorized: authentication required");
            case 403 -> new Answer("DENIED", "denied: requested access to the resource is denied");
            case 404 -> new Answer("NOT_FOUND", "unknown: not found");
            case 407 -> new Answer("UNKNOWN", "proxyconnect tcp: Proxy Authentication Required");
            case 413 -> new Answer("SIZE_INVALID", "the registry accepts nothing this large: 413 Request Entity Too Large");
            case 429 -> new Answer("TOOMANYREQUESTS", "toomanyrequests: too many requests");
            default -> new Answer("UNKNOWN", "received unexpected HTTP status: " + status);
        };
    }

    static RegistryFailure unauthorized(String message) {
        return new RegistryFailure(401, "UNAUTHORIZED", message, Optional.empty());
    }

    /// @param request that was to be sent, e.g. `Get "https://…"`
    static RegistryFailure noCredentials(String request) {
        return new RegistryFailure(401, NO_CREDENTIALS, request + ": " + NO_BASIC, Optional.empty());
    }

    /// Whether the same request may go better later.
    boolean passing() {
        return status == 408 || status == 429 || status >= 500;
    }

    int status() {
        return status;
    }

    Optional<Duration> retryAfter() {
        return retryAfter;
    }

    /// The same failure, told with what was asked: `Get "https://…/v2/": unauthorized: …`.
    RegistryFailure of(String request) {
        return new RegistryFailure(status, code, request + ": " + getMessage(), retryAfter);
    }

    /// What this means for somebody who only asked.
    DistributionException forQuestion() {
        // What a registry denies it denies by 401 too, lest one learn what there is.
        return switch (code.equals("DENIED") ? 403 : status) {
            case 403 -> new DistributionException.Refused(403, getMessage());
            case 401, 404, 429 -> new DistributionException.Refused(status, getMessage());
            default -> new DistributionException.Unavailable(getMessage(), this);
        };
    }

    /// What this means for somebody who wanted to pull `reference`, in Docker's words.
    DistributionException forPullOf(ImageReference reference) {
        return switch (code) {
            case "DENIED" -> new DistributionException.NotInRegistry("pull access denied for " + reference.familiarName()
                    + ", repository does not exist or may require 'docker login': " + getMessage());
            case "MANIFEST_UNKNOWN" ->
                new DistributionException.NotInRegistry("manifest for " + reference.familiar() + " not found: " + getMessage());
            case "NAME_UNKNOWN" ->
                new DistributionException.NotInRegistry("repository " + reference.familiarName() + " not found: " + getMessage());
            default -> switch (status) {
                case 401 -> new DistributionException.Unauthorized(getMessage());
                case 404 -> new DistributionException.NotInRegistry(getMessage());
                default -> new DistributionException.Unavailable(getMessage(), this);
            };
        };
    }

    /// What this means for somebody who wanted to push: the registry's own words.
    DistributionException forPush() {
        return switch (status) {
            case 401 -> new DistributionException.Unauthorized(code.equals(NO_CREDENTIALS) ? NO_BASIC : getMessage());
            case 403, 404 -> new DistributionException.NotInRegistry(getMessage());
            default -> new DistributionException.Unavailable(getMessage(), this);
        };
    }

    /// A registry's text ends on somebody's terminal.
    private static String printable(String text) {
        String clean = text.replaceAll("\\p{Cntrl}", " ");
        return clean.length() <= 300 ? clean : clean.substring(0, 300) + "…";
    }
}
