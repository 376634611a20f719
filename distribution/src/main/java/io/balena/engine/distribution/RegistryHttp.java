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
import java.util.Iterator;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/// Requests to one registry: where it is found, over which scheme, and through which redirects. Knows nothing of what is asked for.
final class RegistryHttp implements AutoCloseable {
    /// Some plain HTTP servers wait for the rest of what they take for a request line when they are spoken to in TLS.
    private static final Duration TLS_PROBE = Duration.ofSeconds(10);
    private static final int MOST_REDIRECTS = 5;
    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);

    private final Endpoint endpoint;
    private final RegistryConfig config;
    private final HttpConnections.Lease http;
    /// Scheme and host, once the registry has answered there.
    private volatile Optional<String> origin = Optional.empty();

    private RegistryHttp(Endpoint endpoint, RegistryConfig config, HttpConnections.Lease http) {
        this.endpoint = endpoint;
        this.config = config;
        this.http = http;
    }

    static RegistryHttp open(Endpoint endpoint, RegistryConfig config, HttpConnections connections) {
        return new RegistryHttp(endpoint, config, connections.lease(endpoint.trust(), config.endpoints().proxies()));
    }

    /// The same registry, for somebody who may stay longer.
    RegistryHttp another() {
        RegistryHttp other = new RegistryHttp(endpoint, config, http.another());
        other.origin = origin;
        return other;
    }

    String host() {
        return endpoint.host();
    }

    String place() {
        return origin.orElse(endpoint.toString());
    }

    /// Whether `address` is one of the registry's own.
    boolean isAt(URI address) {
        return sameOrigin(URI.create(place()), address);
    }

    /// Sends it to where the registry was found, or looks for it: over HTTPS first, then, if it may be insecure, over HTTP.
    ///
    /// @param authorization shown to the registry, and to nobody it sends us to
    HttpResponse<ResponseBody> send(RegistryRequest request, Optional<String> authorization, Cancellation cancellation)
            throws IOException {
        if (origin.isPresent()) return at(origin.get(), config.idleTimeout(), request, authorization, cancellation);
        for (Iterator<String> schemes = endpoint.schemes().iterator(); ; ) {
            String place = schemes.next() + "://" + endpoint.host();
            Duration patience = schemes.hasNext() ? shorter(config.idleTimeout(), TLS_PROBE) : config.idleTimeout();
            try {
                return at(place, patience, request, authorization, cancellation);
            } catch (InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                if (schemes.hasNext() && origin.isEmpty()) continue;
                // Over plain HTTP a connection that breaks is just that; over TLS it may mean that there is none to be had.
                if (place.startsWith("https:") || e instanceof ConnectException) throw new UnreachableRegistry(unreachable(place, e), e);
                throw e;
            }
        }
    }

    /// Asks the service that the registry trusts with logins; redirects are not followed.
    HttpResponse<ResponseBody> ask(HttpRequest.Builder request, Cancellation cancellation) throws IOException {
        URI realm = request.build().uri();
        boolean exposed = String.valueOf(realm.getScheme()).equalsIgnoreCase("http") && !endpoint.mayBePlain();
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
        boolean mayBePlain = endpoint.mayBePlain() || from.getScheme().equals("http");
        boolean allowed = to.getHost() != null && (scheme.equals("https") || scheme.equals("http") && mayBePlain);
        if (!allowed) throw new IOException("refusing to follow a redirect to " + to);
        return to;
    }

    private HttpResponse<ResponseBody> send(HttpRequest.Builder request, Duration patience, Cancellation cancellation)
            throws IOException {
        HttpRequest unsigned = request.header("User-Agent", config.userAgent()).build();
        Optional<RequestBody> streamed = unsigned.bodyPublisher().filter(RequestBody.class::isInstance).map(RequestBody.class::cast);
        if (streamed.isEmpty()) request.timeout(patience);
        Optional<ProxyServer> proxy = proxy(unsigned.uri());
        proxy.flatMap(ProxyServer::authorization).ifPresent(shown -> request.header("Proxy-Authorization", shown));
        try {
            var sent = http.client().sendAsync(request.build(), _ -> new ResponseBody(config.idleTimeout()));
            Duration longest = patience.plusSeconds(1);
            // What is streamed takes as long as it takes, if only it flows.
            HttpResponse<ResponseBody> response = streamed.isPresent()
                    ? cancellation.await(sent, longest, streamed.get()::lastSignNanos)
                    : cancellation.await(sent, longest);
            // The JDK hands on a proxy's refusal to tunnel as if it were the registry's, without a body.
            if (response.body() == null) throw new ProxyFailure("Proxy Authentication Required", null);
            cancellation.onCancel(response.body()::close);
            return response;
        } catch (ProxyFailure e) {
            throw e;
        } catch (ConnectException e) {
            throw proxy.isEmpty() ? e : new ProxyFailure("dial tcp " + proxy.get() + ": connect: connection refused", e);
        } catch (IllegalStateException e) {
            throw new IOException("request was cancelled", e);
        }
    }

    private Optional<ProxyServer> proxy(URI target) throws ProxyFailure {
        try {
            return config.endpoints().proxies().forRequest(target);
        } catch (IllegalArgumentException e) {
            throw new ProxyFailure(e.getMessage(), e);
        }
    }

    /// The proxy that was configured is not there, or is none.
    private static final class ProxyFailure extends ConnectException {
        private static final long serialVersionUID = 1L;

        ProxyFailure(String message, Exception cause) {
            super(message);
            initCause(cause);
        }
    }

    private static String unreachable(String origin, IOException e) {
        String host = URI.create(origin).getAuthority();
        boolean unknown = e.getCause() instanceof UnresolvedAddressException || e.getCause() instanceof UnknownHostException;
        String reason = switch (e) {
            case ProxyFailure _ -> "proxyconnect tcp: " + e.getMessage();
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
