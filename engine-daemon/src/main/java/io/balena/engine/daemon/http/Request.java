package io.balena.engine.daemon.http;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.InputStream;
import java.util.List;
import java.util.Optional;

/// A request as a handler sees it. Reading it wrongly throws `InvalidRequest` with Docker's words, so that handlers need not check.
public interface Request {
    /// A `{name}` of the route's path, percent-decoded.
    String path(String name);

    /// The API version of the URL, or the newest when it has none.
    ApiVersion version();

    /// First value of a query parameter; empty when it is absent or the empty string.
    Optional<String> query(String name);

    /// All values of a query parameter.
    List<String> queries(String name);

    /// Docker's booleans: absent, empty, `0`, `no`, `false`, `none` are false, everything else is true.
    boolean flag(String name);

    /// @return `absent` when the parameter is absent or empty
    int integer(String name, int absent);

    /// The `filters` parameter in both its forms: `{"name":["a"]}` and `{"name":{"a":true}}`.
    Filters filters();

    Optional<String> header(String name);

    /// The body as it arrives; reading blocks while the client is slow.
    InputStream body();

    /// The body as JSON, at most some megabytes.
    <T> T json(Class<T> type);

    JsonNode json();

    /// The body as JSON, for requests that may come without one.
    Optional<JsonNode> optionalJson();
}
