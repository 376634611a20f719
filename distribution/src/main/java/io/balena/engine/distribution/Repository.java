package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// One repository of one registry, over HTTP. One request per call: trying again is the caller's business, except for the one round that
/// a registry needs to ask for our credentials.
///
/// @see <a href="https://github.com/opencontainers/distribution-spec/blob/main/spec.md">OCI distribution-spec</a>
final class Repository implements AutoCloseable {
    private static final String HUB = "docker.io";
    private static final String HUB_HOST = "registry-1.docker.io";
    private static final int LARGEST_MANIFEST = 4 << 20;
    private static final int LARGEST_TOKEN = 1 << 20;
    private static final int LARGEST_ERROR = 16 << 10;
    /// Some plain HTTP servers wait for the rest of what they take for a request line when they are spoken to in TLS.
    private static final Duration TLS_PROBE = Duration.ofSeconds(10);
    private static final int MOST_REDIRECTS = 5;
    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
    private static final Pattern LOOPBACK = Pattern.compile("localhost|127\\.\\d+\\.\\d+\\.\\d+|\\[::1]");
    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d+)-\\d+/(\\d+|\\*)");
    private static final String MANIFEST_TYPES =
            String.join(", ", Manifest.OCI_INDEX, Manifest.SCHEMA2_LIST, Manifest.OCI_MANIFEST, Manifest.SCHEMA2);

    private final String host;
    private final String path;
    private final RegistryConfig config;
    private final HttpConnections.Lease http;
    private final Authorization authorization;
    private final boolean insecure;
    /// Scheme and host, once the registry has answered there.
    private volatile Optional<String> origin = Optional.empty();

    private Repository(String host, String path, RegistryConfig config, HttpConnections.Lease http, Authorization authorization, boolean insecure) {
        this.host = host;
        this.path = path;
        this.config = config;
        this.http = http;
        this.authorization = authorization;
        this.insecure = insecure;
    }

    static Repository open(ImageReference reference, Credentials credentials, RegistryConfig config, HttpConnections connections) {
        String host = reference.domain().equals(HUB) ? HUB_HOST : reference.domain();
        boolean insecure = isInsecure(host, config);
        var trust = insecure ? HttpConnections.Trust.ANYONE : HttpConnections.Trust.AUTHORITIES;
        return new Repository(host, reference.path(), config, connections.lease(trust),
                new Authorization(credentials, reference.path()), insecure);
    }

    /// The same repository and login, for somebody who may stay longer.
    Repository another() {
        Repository other = new Repository(host, path, config, http.another(), authorization, insecure);
        other.origin = origin;
        return other;
    }

    String host() {
        return host;
    }

    /// A manifest, as it came.
    ///
    /// @param mediaType what it was served as
    record Fetched(byte[] content, Digest digest, String mediaType) {}

    /// @param tagOrDigest what is behind a digest is verified
    /// @throws DistributionException.InvalidContent when it is too large or has another digest
    Fetched manifest(String tagOrDigest, Cancellation cancellation) throws IOException {
        HttpResponse<ResponseBody> response = get("manifests/" + tagOrDigest, Map.of("Accept", MANIFEST_TYPES), cancellation);
        try (ResponseBody body = response.body()) {
            byte[] content = body.readNBytes(LARGEST_MANIFEST + 1);
            if (content.length > LARGEST_MANIFEST) {
                throw new DistributionException.InvalidContent("manifest of " + path + " is larger than " + LARGEST_MANIFEST + " bytes", null);
            }
            Digest digest = Digest.of(content);
            String claimed = tagOrDigest.startsWith("sha256:")
                    ? tagOrDigest
                    : response.headers().firstValue("Docker-Content-Digest").filter(d -> d.startsWith("sha256:")).orElse(digest.toString());
            if (!claimed.equals(digest.toString())) {
                throw new DistributionException.InvalidContent("manifest verification failed for digest " + claimed, null);
            }
            String type = response.headers().firstValue("Content-Type").orElse("");
            return new Fetched(content, digest, type.split(";", 2)[0].strip());
        }
    }

    /// An open blob.
    ///
    /// @param start offset of its first byte: what was asked for, or 0 from a registry that cannot do ranges
    /// @param size of the whole blob as the registry says, -1 when it does not
    record Blob(ResponseBody body, long start, long size) {}

    /// Opens a blob at `offset`.
    Blob blob(Digest digest, long offset, Cancellation cancellation) throws IOException {
        Map<String, String> range = offset == 0 ? Map.of() : Map.of("Range", "bytes=" + offset + "-");
        HttpResponse<ResponseBody> response = get("blobs/" + digest, range, cancellation);
        if (response.statusCode() != 206) {
            return new Blob(response.body(), 0, response.headers().firstValueAsLong("Content-Length").orElse(-1));
        }
        Matcher given = CONTENT_RANGE.matcher(response.headers().firstValue("Content-Range").orElse(""));
        if (!given.matches() || !given.group(1).equals(Long.toString(offset))) {
            response.body().close();
            throw new IOException("the registry answered with another range than bytes " + offset + "-");
        }
        return new Blob(response.body(), offset, given.group(2).equals("*") ? -1 : Long.parseLong(given.group(2)));
    }

    @Override
    public void close() {
        http.close();
    }

    @Override
    public String toString() {
        return host + "/" + path;
    }

    private HttpResponse<ResponseBody> get(String what, Map<String, String> headers, Cancellation cancellation) throws IOException {
        Authorization.TokenService tokens = request -> askForToken(request, cancellation);
        HttpResponse<ResponseBody> response = null;
        for (int round = 0; round < 2; round++) {
            Optional<String> shown = authorization.header(tokens);
            response = fromOrigin("/v2/" + path + "/" + what, headers, shown, cancellation);
            if (response.statusCode() != 401) break;
            List<Challenge> challenges = Challenge.parse(response.headers().allValues("WWW-Authenticate"));
            if (round > 0 || !authorization.answer(challenges, shown, tokens)) {
                boolean nothingToShow = shown.isEmpty() && challenges.stream().anyMatch(challenge -> challenge.scheme().equals("basic"));
                if (!nothingToShow) break;
                response.body().close();
                throw RegistryFailure.unauthorized("Get \"" + response.uri() + "\": no basic auth credentials");
            }
            response.body().close();
        }
        if (response.statusCode() / 100 == 2) return response;
        throw failure(response);
    }

    /// Asks the registry where it was found, or looks for it: HTTPS first, then, if it may be insecure, HTTP.
    private HttpResponse<ResponseBody> fromOrigin(
            String resource, Map<String, String> headers, Optional<String> shown, Cancellation cancellation) throws IOException {
        if (origin.isPresent()) return following(URI.create(origin.get() + resource), headers, shown, config.idleTimeout(), cancellation);
        String https = "https://" + host;
        String http = "http://" + host;
        try {
            Duration patience = insecure ? shorter(config.idleTimeout(), TLS_PROBE) : config.idleTimeout();
            HttpResponse<ResponseBody> response = following(URI.create(https + resource), headers, shown, patience, cancellation);
            origin = Optional.of(https);
            return response;
        } catch (InterruptedIOException | RegistryFailure e) {
            throw e;
        } catch (IOException e) {
            if (!insecure) throw new IOException(unreachable(https, e), e);
        }
        try {
            HttpResponse<ResponseBody> response = following(URI.create(http + resource), headers, shown, config.idleTimeout(), cancellation);
            origin = Optional.of(http);
            return response;
        } catch (ConnectException e) {
            throw new IOException(unreachable(http, e), e);
        }
    }

    private HttpResponse<ResponseBody> following(
            URI start, Map<String, String> headers, Optional<String> shown, Duration patience, Cancellation cancellation)
            throws IOException {
        URI at = start;
        for (int redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
            HttpRequest.Builder request = HttpRequest.newBuilder(at);
            headers.forEach(request::header);
            // Whoever we are sent to must not learn what we show to the registry.
            if (shown.isPresent() && sameOrigin(start, at)) request.header("Authorization", shown.get());
            HttpResponse<ResponseBody> response = send(request, patience, cancellation);
            if (!REDIRECTS.contains(response.statusCode())) return response;
            response.body().close();
            at = target(at, response);
        }
        throw new DistributionException.Unavailable("Get \"" + start + "\": stopped after " + MOST_REDIRECTS + " redirects", null);
    }

    private URI target(URI from, HttpResponse<?> response) throws IOException {
        String location = response.headers().firstValue("Location").orElse("");
        URI to;
        try {
            to = from.resolve(location);
        } catch (IllegalArgumentException e) {
            throw new IOException("redirected to an invalid address: " + location, e);
        }
        String scheme = String.valueOf(to.getScheme()).toLowerCase(Locale.ROOT);
        boolean allowed = to.getHost() != null && (scheme.equals("https") || scheme.equals("http") && (insecure || from.getScheme().equals("http")));
        if (!allowed) throw new IOException("refusing to follow a redirect to " + to);
        return to;
    }

    private byte[] askForToken(HttpRequest.Builder request, Cancellation cancellation) throws IOException {
        URI realm = request.build().uri();
        boolean exposed = String.valueOf(realm.getScheme()).equalsIgnoreCase("http") && !insecure;
        if (exposed) throw RegistryFailure.unauthorized("refusing to ask for a token without TLS: " + realm.getHost());
        HttpResponse<ResponseBody> response = send(request, config.idleTimeout(), cancellation);
        if (response.statusCode() != 200) throw failure(response);
        try (ResponseBody body = response.body()) {
            byte[] answer = body.readNBytes(LARGEST_TOKEN + 1);
            if (answer.length > LARGEST_TOKEN) throw RegistryFailure.unauthorized("the authorization server's answer is too large");
            return answer;
        }
    }

    private HttpResponse<ResponseBody> send(HttpRequest.Builder request, Duration patience, Cancellation cancellation)
            throws IOException {
        HttpRequest built = request.header("User-Agent", config.userAgent()).timeout(patience).build();
        try {
            HttpResponse<ResponseBody> response =
                    cancellation.await(http.client().sendAsync(built, _ -> new ResponseBody(config.idleTimeout())), patience.plusSeconds(1));
            cancellation.onCancel(response.body()::close);
            return response;
        } catch (IllegalStateException e) {
            throw new IOException("request was cancelled", e);
        }
    }

    private static RegistryFailure failure(HttpResponse<ResponseBody> response) throws IOException {
        try (ResponseBody body = response.body()) {
            return RegistryFailure.of(response.statusCode(), body.readNBytes(LARGEST_ERROR));
        }
    }

    private static String unreachable(String origin, IOException e) {
        String host = URI.create(origin).getAuthority();
        String reason = switch (e) {
            case ConnectException refused when refused.getCause() instanceof UnresolvedAddressException -> "dial tcp: lookup " + host + ": no such host";
            case ConnectException refused when refused.getCause() instanceof UnknownHostException -> "dial tcp: lookup " + host + ": no such host";
            case ConnectException _ -> "dial tcp " + host + ": connect: connection refused";
            default -> String.valueOf(e.getMessage());
        };
        return "Get \"" + origin + "/v2/\": " + reason;
    }

    private static Duration shorter(Duration a, Duration b) {
        return a.compareTo(b) < 0 ? a : b;
    }

    private static boolean sameOrigin(URI a, URI b) {
        return a.getScheme().equalsIgnoreCase(b.getScheme()) && a.getAuthority().equalsIgnoreCase(b.getAuthority());
    }

    private static boolean isInsecure(String host, RegistryConfig config) {
        String name = host.replaceFirst(":\\d+$", "");
        return LOOPBACK.matcher(name).matches() || config.insecure().contains(host) || config.insecure().contains(name);
    }
}
