package io.balena.engine.daemon.image;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.http.Filters;
import java.util.Arrays;
import java.util.Base64;
import java.util.Optional;
import java.util.Set;

/// Headers and parameters of requests, as a client may send them. The first byte chooses the parser.
public final class RequestFuzz {
    private RequestFuzz() {}

    public static void fuzzerTestOneInput(byte[] input) {
        if (input.length == 0) return;
        byte[] rest = Arrays.copyOfRange(input, 1, input.length);
        String text = new String(rest, UTF_8);
        try {
            switch (input[0]) {
                case 'f' -> Filters.parse(text).allow(Set.of("label"));
                case 'a' -> RegistryAuth.parse(Optional.of(text));
                case 'b' -> RegistryAuth.parse(Optional.of(Base64.getUrlEncoder().encodeToString(rest)));
                default -> {}
            }
        } catch (EngineException e) {
            if (e.getMessage() == null) throw new IllegalStateException("an error without a message", e);
        }
    }
}
