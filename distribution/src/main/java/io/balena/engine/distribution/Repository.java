package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// One repository of one registry. One request per call: trying again is the caller's business, except for the one round that a
/// registry needs to ask for our credentials.
///
/// @see <a href="https://github.com/opencontainers/distribution-spec/blob/main/spec.md">OCI distribution-spec</a>
final class Repository implements AutoCloseable {
    private static final int LARGEST_MANIFEST = 4 << 20;
    private static final int LARGEST_LIST = 10_000;
    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d{1,18})-\\d+/(\\d{1,18}|\\*)");
    private static final String MANIFEST_TYPES =
            String.join(", ", Manifest.OCI_INDEX, Manifest.SCHEMA2_LIST, Manifest.OCI_MANIFEST, Manifest.SCHEMA2);

    private final String path;
    private final RegistrySession session;

    private Repository(String path, RegistrySession session) {
        this.path = path;
        this.session = session;
    }

    static Repository open(
            ImageReference reference, Access access, Credentials credentials, RegistryConfig config, HttpConnections connections) {
        return open(reference, config.endpoints().of(reference.domain()), access, credentials, config, connections);
    }

    /// @param endpoint one of those that may have it; a mirror is not told the credentials
    static Repository open(ImageReference reference, Endpoint endpoint, Access access, Credentials credentials,
            RegistryConfig config, HttpConnections connections) {
        Credentials shown = endpoint.mirror() ? new Credentials.Anonymous() : credentials;
        Authorization authorization = new Authorization(shown, access.to(reference.path()));
        return new Repository(reference.path(), RegistrySession.open(endpoint, authorization, config, connections));
    }

    /// The same repository and login, for somebody who may stay longer.
    Repository another() {
        return new Repository(path, session.another());
    }

    /// The same repository, with tokens that let the registry take blobs from `source` too.
    Repository takingFrom(String source) {
        return new Repository(path, session.including(Access.PULL.to(source)));
    }

    /// What is to be asked of this repository.
    ///
    /// @param what e.g. `blobs/uploads/`
    URI resource(String what) {
        return URI.create("/v2/" + path + "/" + what);
    }

    /// [RegistrySession#ask]
    HttpResponse<ResponseBody> ask(RegistryRequest request, Cancellation cancellation) throws IOException {
        return session.ask(request, cancellation);
    }

    /// [RegistrySession#location]
    URI location(HttpResponse<?> response) throws IOException {
        return session.location(response);
    }

    String host() {
        return session.host();
    }

    /// A manifest, as it came.
    ///
    /// @param mediaType what it was served as
    record Fetched(byte[] content, Digest digest, String mediaType) {}

    /// @param tagOrDigest what is behind a digest is verified
    /// @throws DistributionException.InvalidContent when it is too large or has another digest
    Fetched manifest(String tagOrDigest, Cancellation cancellation) throws IOException {
        HttpResponse<ResponseBody> response = get("manifests/" + tagOrDigest, Map.of("Accept", MANIFEST_TYPES), cancellation);
        byte[] content = RegistrySession.readAtMost(LARGEST_MANIFEST, response, "manifest of " + path);
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

    /// All its tags, in the registry's order.
    List<String> tags(Cancellation cancellation) throws IOException {
        return new Listing(session, "/v2/" + path + "/tags/list", "tags").all(LARGEST_LIST, cancellation);
    }

    @Override
    public void close() {
        session.close();
    }

    private HttpResponse<ResponseBody> get(String what, Map<String, String> headers, Cancellation cancellation) throws IOException {
        return session.send(RegistryRequest.get("/v2/" + path + "/" + what, headers), cancellation);
    }
}
