package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/// Requests to one registry: where it is found, over which scheme, and through which redirects. Knows nothing of what is asked for.
final class RegistryHttp implements AutoCloseable {
    /// Some plain HTTP servers wait for the rest of what they take for a request line when they are spoken to in TLS.
    private static final Duration TLS_PROBE = Duration.ofSeconds(10);
    private static final int MOST_REDIRECTS = 5;
    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);

    private final String host;
    private final RegistryConfig config;
    private final HttpConnections.Lease http;
    /// It may speak plain HTTP or show any certificate.
    private final boolean insecure;
    /// Scheme and host, once the registry has answered there.
    private volatile Optional<String> origin = Optional.empty();

    private RegistryHttp(String host, RegistryConfig config, HttpConnections.Lease http, boolean insecure) {
        this.host = host;
        this.config = config;
        this.http = http;
        this.insecure = insecure;
    }

    static RegistryHttp open(String host, RegistryConfig config, HttpConnections connections) {
        boolean insecure = config.mayBeInsecure(host);
        var trust = insecure ? HttpConnections.Trust.ANYONE : HttpConnections.Trust.AUTHORITIES;
        return new RegistryHttp(host, config, connections.lease(trust), insecure);
    }

    /// The same registry, for somebody who may stay longer.
    RegistryHttp another() {
        RegistryHttp other = new RegistryHttp(host, config, http.another(), insecure);
        other.origin = origin;
        return other;
    }

    String host() {
        return host;
    }

    /// Sends it to where the registry was found, or looks for it: HTTPS first, then, if it may be insecure, HTTP.
    ///
    /// @param authorization shown to the registry, and to nobody it sends us to
    HttpResponse<ResponseBody> send(RegistryRequest request, Optional<String> authorization, Cancellation cancellation)
            throws IOException {
        if (origin.isPresent()) return at(origin.get(), config.idleTimeout(), request, authorization, cancellation);
        String https = "https://" + host;
        try {
            Duration patience = insecure ? shorter(config.idleTimeout(), TLS_PROBE) : config.idleTimeout();
            return at(https, patience, request, authorization, cancellation);
        } catch (InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            if (!insecure || origin.isPresent()) throw new UnreachableRegistry(unreachable(https, e), e);
        }
        String plain = "http://" + host;
        try {
            return at(plain, config.idleTimeout(), request, authorization, cancellation);
        } catch (ConnectException e) {
            throw new UnreachableRegistry(unreachable(plain, e), e);
        }
    }

    /// Asks the service that the registry trusts with logins; redirects are not followed.
    HttpResponse<ResponseBody> ask(HttpRequest.Builder request, Cancellation cancellation) throws IOException {
        URI realm = request.build().uri();
        boolean exposed = String.valueOf(realm.getScheme()).equalsIgnoreCase("http") && !insecure;
        if (exposed) throw RegistryFailure.unauthorized("refusing to ask for a token without TLS: " + realm.getHost());
        return send(request, config.idleTimeout(), cancellation);
    }

    @Override
    public void close() {
        http.close();
    }

    private HttpResponse<ResponseBody> at(
            String place, Duration patience, RegistryRequest asked, Optional<String> authorization, Cancellation cancellation)
            throws IOException {
        URI registry = URI.create(place);
        URI start = registry.resolve(asked.target());
        URI at = start;
        for (int redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
            HttpRequest.Builder request = HttpRequest.newBuilder(at).method(asked.method(), asked.body().get());
            asked.headers().forEach(request::header);
            if (authorization.isPresent() && sameOrigin(registry, at)) request.header("Authorization", authorization.get());
            HttpResponse<ResponseBody> response = send(request, patience, cancellation);
            origin = Optional.of(place);
            if (!asked.mayBeRedirected() || !REDIRECTS.contains(response.statusCode())) return response;
            response.body().close();
            at = target(at, response);
        }
        throw new DistributionException.Unavailable(asked.verb() + " \"" + start + "\": stopped after " + MOST_REDIRECTS + " redirects", null);
    }

    /// Where `response` to a request to `from` sends us.
    ///
    /// @throws IOException when that is no address, or would be asked in the clear although the registry speaks TLS
    URI target(URI from, HttpResponse<?> response) throws IOException {
        String location = response.headers().firstValue("Location").orElse("");
        URI to;
        try {
            to = from.resolve(location);
        } catch (IllegalArgumentException e) {
            throw new IOException("redirected to an invalid address: " + location, e);
        }
        String scheme = String.valueOf(to.getScheme()).toLowerCase(Locale.ROOT);
        boolean mayBePlain = insecure || from.getScheme().equals("http");
        boolean allowed = to.getHost() != null && (scheme.equals("https") || scheme.equals("http") && mayBePlain);
        if (!allowed) throw new IOException("refusing to follow a redirect to " + to);
        return to;
    }

    private HttpResponse<ResponseBody> send(HttpRequest.Builder request, Duration patience, Cancellation cancellation)
            throws IOException {
        request.header("User-Agent", config.userAgent());
        Optional<RequestBody> streamed = request.build().bodyPublisher().filter(RequestBody.class::isInstance).map(RequestBody.class::cast);
        if (streamed.isEmpty()) request.timeout(patience);
        try {
            var sent = http.client().sendAsync(request.build(), _ -> new ResponseBody(config.idleTimeout()));
            Duration longest = patience.plusSeconds(1);
            // What is streamed takes as long as it takes, if only it flows.
            HttpResponse<ResponseBody> response = streamed.isPresent()
                    ? cancellation.await(sent, longest, streamed.get()::lastSignNanos)
                    : cancellation.await(sent, longest);
            cancellation.onCancel(response.body()::close);
            return response;
        } catch (IllegalStateException e) {
            throw new IOException("request was cancelled", e);
        }
    }

    private static String unreachable(String origin, IOException e) {
        String host = URI.create(origin).getAuthority();
        boolean unknown = e.getCause() instanceof UnresolvedAddressException || e.getCause() instanceof UnknownHostException;
        String reason = switch (e) {
            case ConnectException _ when unknown -> "dial tcp: lookup " + host + ": no such host";
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
}
