package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// One repository of one registry. One request per call: trying again is the caller's business, except for the one round that a
/// registry needs to ask for our credentials.
///
/// @see <a href="https://github.com/opencontainers/distribution-spec/blob/main/spec.md">OCI distribution-spec</a>
final class Repository implements AutoCloseable {
    private static final String HUB = "docker.io";
    private static final String HUB_HOST = "registry-1.docker.io";
    private static final int LARGEST_MANIFEST = 4 << 20;
    private static final int LARGEST_TOKEN = 1 << 20;
    private static final int LARGEST_ERROR = 16 << 10;
    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d{1,18})-\\d+/(\\d{1,18}|\\*)");
    private static final String MANIFEST_TYPES =
            String.join(", ", Manifest.OCI_INDEX, Manifest.SCHEMA2_LIST, Manifest.OCI_MANIFEST, Manifest.SCHEMA2);

    private final String path;
    private final RegistryHttp registry;
    private final Authorization authorization;

    private Repository(String path, RegistryHttp registry, Authorization authorization) {
        this.path = path;
        this.registry = registry;
        this.authorization = authorization;
    }

    static Repository open(
            ImageReference reference, Access access, Credentials credentials, RegistryConfig config, HttpConnections connections) {
        String host = reference.domain().equals(HUB) ? HUB_HOST : reference.domain();
        RegistryHttp registry = RegistryHttp.open(host, config, connections);
        return new Repository(reference.path(), registry, new Authorization(credentials, List.of(access.to(reference.path()))));
    }

    /// The same repository and login, for somebody who may stay longer.
    Repository another() {
        return new Repository(path, registry.another(), authorization);
    }

    /// The same repository, with tokens that let the registry take blobs from `source` too.
    Repository takingFrom(String source) {
        return new Repository(path, registry.another(), authorization.including(Access.PULL.to(source)));
    }

    String path() {
        return path;
    }

    String host() {
        return registry.host();
    }

    /// A manifest, as it came.
    ///
    /// @param mediaType what it was served as
    record Fetched(byte[] content, Digest digest, String mediaType) {}

    /// @param tagOrDigest what is behind a digest is verified
    /// @throws DistributionException.InvalidContent when it is too large or has another digest
    Fetched manifest(String tagOrDigest, Cancellation cancellation) throws IOException {
        HttpResponse<ResponseBody> response = get("manifests/" + tagOrDigest, Map.of("Accept", MANIFEST_TYPES), cancellation);
        byte[] content = readAtMost(LARGEST_MANIFEST, response, "manifest of " + path);
        Digest digest = Digest.of(content);
        String claimed = tagOrDigest.startsWith("sha256:")
                ? tagOrDigest
                : response.headers().firstValue("Docker-Content-Digest").filter(d -> d.startsWith("sha256:")).orElse("" + digest);
        if (!claimed.equals(digest.toString())) {
            throw new DistributionException.InvalidContent("manifest verification failed for digest " + claimed, null);
        }
        String type = response.headers().firstValue("Content-Type").orElse("");
        return new Fetched(content, digest, type.split(";", 2)[0].strip());
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

    /// Where the registry wants us to go on, from its `Location`.
    ///
    /// @throws IOException when there is none, or it would lead out of TLS
    URI location(HttpResponse<?> response) throws IOException {
        if (response.headers().firstValue("Location").isEmpty()) throw new IOException("the registry did not say where to upload to");
        return registry.target(response.uri(), response);
    }

    /// What is to be asked of this repository.
    ///
    /// @param what e.g. `blobs/uploads/`
    URI resource(String what) {
        return URI.create("/v2/" + path + "/" + what);
    }

    /// Sends it, and takes an answer whose body does not matter.
    HttpResponse<ResponseBody> ask(RegistryRequest request, Cancellation cancellation) throws IOException {
        HttpResponse<ResponseBody> response = send(request, cancellation);
        try (ResponseBody body = response.body()) {
            // A connection whose answer was read to its end can be used again.
            body.readNBytes(LARGEST_ERROR);
        }
        return response;
    }

    @Override
    public void close() {
        registry.close();
    }

    private HttpResponse<ResponseBody> get(String what, Map<String, String> headers, Cancellation cancellation) throws IOException {
        return send(RegistryRequest.get("/v2/" + path + "/" + what, headers), cancellation);
    }

    /// @throws RegistryFailure when the answer is anything but 2xx
    private HttpResponse<ResponseBody> send(RegistryRequest request, Cancellation cancellation) throws IOException {
        Authorization.TokenService tokens = question -> askForToken(question, cancellation);
        Optional<String> shown = authorization.header(tokens);
        HttpResponse<ResponseBody> response = registry.send(request, shown, cancellation);
        if (response.statusCode() == 401) {
            List<Challenge> challenges = Challenge.parse(response.headers().allValues("WWW-Authenticate"));
            if (authorization.answer(challenges, shown, tokens)) {
                response.body().close();
                response = registry.send(request, authorization.header(tokens), cancellation);
            } else if (shown.isEmpty() && challenges.stream().anyMatch(challenge -> challenge.scheme().equals("basic"))) {
                response.body().close();
                throw RegistryFailure.noCredentials(request.verb() + " \"" + response.uri() + "\"");
            }
        }
        if (response.statusCode() / 100 == 2) return response;
        throw failure(response);
    }

    private byte[] askForToken(HttpRequest.Builder request, Cancellation cancellation) throws IOException {
        HttpResponse<ResponseBody> response = registry.ask(request, cancellation);
        if (response.statusCode() != 200) throw failure(response);
        return readAtMost(LARGEST_TOKEN, response, "the authorization server's answer");
    }

    private static byte[] readAtMost(int most, HttpResponse<ResponseBody> response, String what) throws IOException {
        try (ResponseBody body = response.body()) {
            byte[] content = body.readNBytes(most + 1);
            if (content.length <= most) return content;
            throw new DistributionException.InvalidContent(what + " is larger than " + most + " bytes", null);
        }
    }

    private static RegistryFailure failure(HttpResponse<ResponseBody> response) throws IOException {
        try (ResponseBody body = response.body()) {
            return RegistryFailure.of(response.statusCode(), body.readNBytes(LARGEST_ERROR));
        }
    }
}
