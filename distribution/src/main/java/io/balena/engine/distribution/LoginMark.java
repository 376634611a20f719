package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.graphdriver.Digest;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// Marks blobs as pushed with a certain login, without giving the login away: an HMAC whose key is made from it. As dockerd does it,
/// so that each understands what the other noted.
///
/// @param key the digest of the login, as text
record LoginMark(String key) {
    static LoginMark of(Credentials credentials) {
        ObjectNode login = Json.MAPPER.createObjectNode();
        switch (credentials) {
            case Credentials.Anonymous _ -> {}
            case Credentials.Password(String username, String password) -> {
                if (!username.isEmpty()) login.put("username", username);
                if (!password.isEmpty()) login.put("password", password);
            }
            case Credentials.IdentityToken(String token) -> login.put("identitytoken", token);
            case Credentials.RegistryToken(String token) -> login.put("registrytoken", token);
        }
        // Go escapes these so that JSON can stand in HTML.
        String json = login.toString().replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e");
        return new LoginMark(Digest.of(json.getBytes(UTF_8)).toString());
    }

    KnownBlob mark(Digest blob, String repository) {
        return new KnownBlob(blob, repository, hmac(blob, repository));
    }

    /// Whether this login put it there.
    boolean made(KnownBlob blob) {
        return MessageDigest.isEqual(blob.hmac().getBytes(UTF_8), hmac(blob.digest(), blob.repository()).getBytes(UTF_8));
    }

    private String hmac(Digest blob, String repository) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key.getBytes(UTF_8), "HmacSHA256"));
            mac.update(blob.toString().getBytes(UTF_8));
            return HexFormat.of().formatHex(mac.doFinal(repository.getBytes(UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new AssertionError("every Java platform has HmacSHA256", e);
        }
    }
}
