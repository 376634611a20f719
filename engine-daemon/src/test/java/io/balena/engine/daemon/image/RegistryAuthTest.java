package io.balena.engine.daemon.image;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.balena.engine.distribution.Credentials;
import java.util.Base64;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RegistryAuthTest {
    private static Credentials parse(String json) {
        return RegistryAuth.parse(Optional.of(Base64.getUrlEncoder().encodeToString(json.getBytes(UTF_8))));
    }

    @Test
    void allFormsAreUnderstood() {
        assertEquals(new Credentials.Password("d_1", "p?>"), parse("{\"username\":\"d_1\",\"password\":\"p?>\",\"serverAddress\":\"r\"}"));
        assertEquals(new Credentials.RegistryToken("t"), parse("{\"registrytoken\":\"t\"}"));
        assertEquals(new Credentials.IdentityToken("t"), parse("{\"identitytoken\":\"t\",\"username\":\"u\"}"));
        assertEquals(new Credentials.Password("u", "p:q"), parse("{\"auth\":\"" + Base64.getEncoder().encodeToString("u:p:q".getBytes(UTF_8)) + "\"}"));
    }

    @Test
    void theOtherAlphabetIsUnderstoodToo() {
        String plain = Base64.getEncoder().withoutPadding().encodeToString("{\"username\":\"ü?>\",\"password\":\"~~~\"}".getBytes(UTF_8));
        assertEquals(new Credentials.Password("ü?>", "~~~"), RegistryAuth.parse(Optional.of(plain)));
    }

    @Test
    void nonsenseIsNobody() {
        for (String header : new String[] {"", "%%%", "e30=", "eyJ", "bnVsbA=="}) {
            assertEquals(new Credentials.Anonymous(), RegistryAuth.parse(Optional.of(header)), header);
        }
        assertEquals(new Credentials.Anonymous(), RegistryAuth.parse(Optional.empty()));
    }
}
