package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;

/// Fetches the tars that `docker import` names by their address, over HTTP or HTTPS. Streamed, and not taken up again when the
/// connection breaks: nothing tells whether the file is still the same.
public final class TarDownloads {
    private static final int MOST_REDIRECTS = 10;
    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
    /// Of what a server says about its failure, in bytes.
    private static final int LONGEST_EXPLANATION = 1024;

    private final RegistryConfig config;
    private final HttpConnections connections = new HttpConnections();

    /// @param config tells how patient to be, and what to call ourselves
    public TarDownloads(RegistryConfig config) {
        this.config = config;
    }

    /// A download that has begun.
    ///
    /// @param size in bytes; -1 when the server does not say
    public record Download(InputStream body, long size, AutoCloseable connection) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            try (body) {
                connection.close();
            } catch (IOException | RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new IOException(e);
            }
        }
    }

    /// @param source as users write addresses: `http://` may be missing
    /// @throws DistributionException.InvalidRequest when it is none
    public static URI address(String source) {
        try {
            URI address = URI.create(source.contains("://") ? source : "http://" + source);
            if (!Set.of("http", "https").contains(address.getScheme().toLowerCase(Locale.ROOT))) {
                throw new DistributionException.InvalidRequest(
                        "Get \"" + source + "\": unsupported protocol scheme \"" + address.getScheme() + "\"");
            }
            if (address.getHost() == null) throw new DistributionException.InvalidRequest("Get \"" + source + "\": no Host in request URL");
            return address;
        } catch (IllegalArgumentException e) {
            throw new DistributionException.InvalidRequest("invalid address: " + e.getMessage());
        }
    }

    /// @throws DistributionException when the server does not give it
    /// @throws java.io.InterruptedIOException when the calling thread is interrupted
    public Download open(URI address) throws IOException {
        HttpConnections.Lease lease = connections.lease(Trust.authorities(), config.endpoints().proxies());
        boolean opened = false;
        try {
            HttpResponse<ResponseBody> response = follow(address, lease);
            if (response.statusCode() >= 400) throw refusal(address, response);
            opened = true;
            return new Download(response.body(), response.headers().firstValueAsLong("Content-Length").orElse(-1), lease);
        } catch (ConnectException e) {
            throw new DistributionException.Unavailable("Get \"" + address + "\": dial tcp " + address.getAuthority()
                    + ": connect: connection refused", e);
        } finally {
            if (!opened) lease.close();
        }
    }

    private HttpResponse<ResponseBody> follow(URI address, HttpConnections.Lease lease) throws IOException {
        URI at = address;
        for (int redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
            HttpRequest request = HttpRequest.newBuilder(at).header("User-Agent", config.userAgent()).timeout(config.idleTimeout()).build();
            var sent = lease.client().sendAsync(request, _ -> new ResponseBody(config.idleTimeout()));
            HttpResponse<ResponseBody> response = new Cancellation().await(sent, config.idleTimeout().plusSeconds(1));
            if (!REDIRECTS.contains(response.statusCode())) return response;
            response.body().close();
            at = target(at, response.headers().firstValue("Location").orElse(""));
        }
        throw new DistributionException.Unavailable("Get \"" + address + "\": stopped after " + MOST_REDIRECTS + " redirects", null);
    }

    private static URI target(URI from, String location) throws IOException {
        URI to;
        try {
            to = address(from.resolve(location).toString());
        } catch (IllegalArgumentException | DistributionException.InvalidRequest e) {
            throw new IOException("redirected to an invalid address: " + location, e);
        }
        boolean exposed = from.getScheme().equals("https") && !to.getScheme().equals("https");
        if (exposed) throw new IOException("refusing to follow a redirect to " + to);
        return to;
    }

    private static DistributionException refusal(URI address, HttpResponse<ResponseBody> response) throws IOException {
        String explanation;
        try (ResponseBody body = response.body()) {
            explanation = new String(body.readNBytes(LONGEST_EXPLANATION), StandardCharsets.UTF_8).strip();
        }
        String message = "failed to GET " + address + " with status " + response.statusCode() + ": " + explanation;
        return response.statusCode() == 404 ? new DistributionException.NotInRegistry(message)
                : new DistributionException.Unavailable(message, null);
    }
}
