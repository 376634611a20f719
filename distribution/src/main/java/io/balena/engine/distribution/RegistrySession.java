package io.balena.engine.distribution;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Optional;

/// One login at one registry. One request per call, except for the one round that a registry needs to ask who we are.
final class RegistrySession implements AutoCloseable {
    private static final int LARGEST_TOKEN = 1 << 20;
    private static final int LARGEST_ERROR = 16 << 10;

    private final RegistryHttp registry;
    private final Authorization authorization;

    private RegistrySession(RegistryHttp registry, Authorization authorization) {
        this.registry = registry;
        this.authorization = authorization;
    }

    static RegistrySession open(Endpoint endpoint, Authorization authorization, RegistryConfig config, HttpConnections connections) {
        return new RegistrySession(RegistryHttp.open(endpoint, config, connections), authorization);
    }

    /// The same login, for somebody who may stay longer.
    RegistrySession another() {
        return new RegistrySession(registry.another(), authorization);
    }

    /// The same login with tokens that are good for `scope` too.
    RegistrySession including(String scope) {
        return new RegistrySession(registry.another(), authorization.including(scope));
    }

    /// Sends it, and takes an answer whose body does not matter.
    ///
    /// @throws RegistryFailure when the answer is anything but 2xx
    HttpResponse<ResponseBody> ask(RegistryRequest request, Cancellation cancellation) throws IOException {
        HttpResponse<ResponseBody> response = send(request, cancellation);
        try (ResponseBody body = response.body()) {
            // A connection whose answer was read to its end can be used again.
            body.readNBytes(LARGEST_ERROR);
        }
        return response;
    }

    /// Where the registry wants us to go on, from its `Location`.
    ///
    /// @throws IOException when there is none, or it would lead out of TLS
    URI location(HttpResponse<?> response) throws IOException {
        if (response.headers().firstValue("Location").isEmpty()) throw new IOException("the registry did not say where to upload to");
        return registry.target(response.uri(), response);
    }

    String host() {
        return registry.host();
    }

    /// Scheme and host where the registry was found, or where it is looked for first.
    String place() {
        return registry.place();
    }

    /// @throws RegistryFailure when the answer is anything but 2xx
    HttpResponse<ResponseBody> send(RegistryRequest request, Cancellation cancellation) throws IOException {
        HttpResponse<ResponseBody> response = answer(request, cancellation);
        if (response.statusCode() / 100 == 2) return response;
        throw failure(response);
    }

    /// The registry's answer, whatever it is, once it knows who we are.
    HttpResponse<ResponseBody> answer(RegistryRequest request, Cancellation cancellation) throws IOException {
        Authorization.TokenService tokens = question -> askForToken(question, cancellation);
        Optional<String> shown = authorization.header(tokens);
        HttpResponse<ResponseBody> response = registry.send(request, shown, cancellation);
        // What another host asks for, to whom the registry has sent us, it does not get; not even a question to a token service of its own.
        if (response.statusCode() != 401 || !registry.isAt(response.uri())) return response;
        List<Challenge> challenges = Challenge.parse(response.headers().allValues("WWW-Authenticate"));
        if (authorization.answer(challenges, shown, tokens)) {
            response.body().close();
            return registry.send(request, authorization.header(tokens), cancellation);
        }
        if (shown.isEmpty() && challenges.stream().anyMatch(challenge -> challenge.scheme().equals("basic"))) {
            response.body().close();
            throw RegistryFailure.noCredentials(request.verb() + " \"" + response.uri() + "\"");
        }
        return response;
    }

    @Override
    public void close() {
        registry.close();
    }

    private Authorization.TokenAnswer askForToken(HttpRequest.Builder request, Cancellation cancellation) throws IOException {
        HttpResponse<ResponseBody> response = registry.ask(request, cancellation);
        if (response.statusCode() != 200) throw failure(response);
        byte[] body = readAtMost(LARGEST_TOKEN, response, "the authorization server's answer");
        return new Authorization.TokenAnswer(body, response.headers().firstValue("Date").flatMap(RetryAfter::moment));
    }

    /// @throws DistributionException.InvalidContent when there is more
    static byte[] readAtMost(int most, HttpResponse<ResponseBody> response, String what) throws IOException {
        try (ResponseBody body = response.body()) {
            byte[] content = body.readNBytes(most + 1);
            if (content.length <= most) return content;
            throw new DistributionException.InvalidContent(what + " is larger than " + most + " bytes", null);
        }
    }

    static RegistryFailure failure(HttpResponse<ResponseBody> response) throws IOException {
        try (ResponseBody body = response.body()) {
            return RegistryFailure.of(response.statusCode(), response.headers(), body.readNBytes(LARGEST_ERROR));
        }
    }
}
