package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Locale;
import java.util.Optional;

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

    private RegistryFailure(int status, String code, String message) {
        super(message);
        this.status = status;
        this.code = code;
    }

    /// @param body the start of the response's body
    static RegistryFailure of(int status, byte[] body) {
        Optional<JsonNode> error = firstError(body);
        if (error.isPresent()) {
            String code = error.get().path("code").asText("UNKNOWN");
            String words = code.replace('_', ' ').toLowerCase(Locale.ROOT);
            String message = error.get().path("message").asText("");
            return new RegistryFailure(status, code, words + ": " + (message.isEmpty() ? words : printable(message)));
        }
        return switch (status) {
            case 401 -> new RegistryFailure(status, "UNAUTHORIZED", "unauthorized: authentication required");
            case 403 -> new RegistryFailure(status, "DENIED", "denied: requested access to the resource is denied");
            case 404 -> new RegistryFailure(status, "NOT_FOUND", "unknown: not found");
            case 413 -> new RegistryFailure(status, "SIZE_INVALID", "the registry accepts nothing this large: 413 Request Entity Too Large");
            case 429 -> new RegistryFailure(status, "TOOMANYREQUESTS", "toomanyrequests: too many requests");
            default -> new RegistryFailure(status, "UNKNOWN", "received unexpected HTTP status: " + status);
        };
    }

    static RegistryFailure unauthorized(String message) {
        return new RegistryFailure(401, "UNAUTHORIZED", message);
    }

    /// @param request that was to be sent, e.g. `Get "https://…"`
    static RegistryFailure noCredentials(String request) {
        return new RegistryFailure(401, NO_CREDENTIALS, request + ": " + NO_BASIC);
    }

    /// Whether the same request may go better later.
    boolean passing() {
        return status == 408 || status == 429 || status >= 500;
    }

    int status() {
        return status;
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

    private static Optional<JsonNode> firstError(byte[] body) {
        try {
            JsonNode errors = Json.MAPPER.readTree(body).path("errors");
            return errors.isArray() && !errors.isEmpty() ? Optional.of(errors.get(0)) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /// A registry's text ends on somebody's terminal.
    private static String printable(String text) {
        String clean = text.replaceAll("\\p{Cntrl}", " ");
        return clean.length() <= 300 ? clean : clean.substring(0, 300) + "…";
    }
}
