package io.balena.engine.distribution;

import java.net.URI;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/// A request to a registry, that can be sent again.
///
/// @param target path and query on the registry, or a whole address that it has named
/// @param body made anew each time it is sent
record RegistryRequest(String method, URI target, Map<String, String> headers, Supplier<BodyPublisher> body) {
    static RegistryRequest get(String resource, Map<String, String> headers) {
        return new RegistryRequest("GET", URI.create(resource), headers, BodyPublishers::noBody);
    }

    /// One without a body.
    static RegistryRequest of(String method, URI target) {
        return new RegistryRequest(method, target, Map.of(), BodyPublishers::noBody);
    }

    /// What has a body goes where it was sent and nowhere else.
    boolean mayBeRedirected() {
        return method.equals("GET") || method.equals("HEAD");
    }

    /// The method as Go's HTTP client spells it in its errors: `Get`.
    String verb() {
        return method.charAt(0) + method.substring(1).toLowerCase(Locale.ROOT);
    }
}
