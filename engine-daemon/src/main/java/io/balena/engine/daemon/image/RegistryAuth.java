package io.balena.engine.daemon.image;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.http.Json;
import io.balena.engine.distribution.Credentials;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;

/// The `X-Registry-Auth` header: base64 of JSON, in one of several forms.
final class RegistryAuth {
    private RegistryAuth() {}

    /// A header that makes no sense counts as none, as with dockerd: clients send an empty object, or nothing, for a public image.
    static Credentials parse(Optional<String> header) {
        if (header.isEmpty() || header.get().isBlank()) return new Credentials.Anonymous();
        try {
            return of(Json.tree(new String(decode(header.get().strip()), UTF_8)));
        } catch (IllegalArgumentException | InvalidRequest e) {
            return new Credentials.Anonymous();
        }
    }

    /// The same object where it stands by itself, as in a login.
    static Credentials of(JsonNode json) {
        String registryToken = field(json, "registrytoken");
        if (!registryToken.isEmpty()) return new Credentials.RegistryToken(registryToken);
        String identityToken = field(json, "identitytoken");
        if (!identityToken.isEmpty()) return new Credentials.IdentityToken(identityToken);
        String username = field(json, "username");
        String password = field(json, "password");
        if (!username.isEmpty() || !password.isEmpty()) return new Credentials.Password(username, password);
        return basic(field(json, "auth"));
    }

    /// `auth` as in a client's config file: base64 of `user:password`.
    private static Credentials basic(String auth) {
        try {
            String[] parts = new String(decode(auth), UTF_8).split(":", 2);
            return parts.length == 2 ? new Credentials.Password(parts[0], parts[1]) : new Credentials.Anonymous();
        } catch (IllegalArgumentException e) {
            return new Credentials.Anonymous();
        }
    }

    // Go's clients use the URL alphabet, some others the plain one, with or without padding.
    private static byte[] decode(String base64) {
        return Base64.getUrlDecoder().decode(base64.replace('+', '-').replace('/', '_').replace("=", ""));
    }

    static String field(JsonNode json, String name) {
        for (Map.Entry<String, JsonNode> field : json.properties()) {
            if (field.getKey().equalsIgnoreCase(name)) return field.getValue().asText("");
        }
        return "";
    }
}
