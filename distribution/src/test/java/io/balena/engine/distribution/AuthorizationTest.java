package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/// How long a token is used, by the clock of the service that gave it: here it is 1994.
class AuthorizationTest {
    private static final Optional<Instant> SENT = Optional.of(Instant.parse("1994-11-06T08:49:37Z"));
    private static final List<Challenge> BEARER = Challenge.parse(List.of("Bearer realm=\"https://auth.test/token\",service=\"s\""));

    private final List<URI> asked = new ArrayList<>();
    private final Authorization authorization = new Authorization(new Credentials.Anonymous(), "repository:app:pull");

    @Test
    void aTokenIsKeptWhateverTheClockOfTheDeviceSays() throws IOException {
        assertEquals(1, timesAsked("{\"token\":\"abc\",\"expires_in\":300,\"issued_at\":\"1994-11-06T08:49:37.123456789Z\"}", SENT));
    }

    @Test
    void aTokenThatLaySomewhereIsRenewedBeforeItIsRefused() throws IOException {
        assertEquals(3, timesAsked("{\"token\":\"abc\",\"expires_in\":300,\"issued_at\":\"1994-11-06T08:44:42Z\"}", SENT));
    }

    @Test
    void withoutAnAgeATokenIsTakenForNew() throws IOException {
        assertEquals(1, timesAsked("{\"token\":\"abc\",\"expires_in\":300,\"issued_at\":\"1994-11-06T08:44:42Z\"}", Optional.empty()));
        asked.clear();
        assertEquals(1, timesAsked("{\"token\":\"abc\",\"issued_at\":\"yesterday\"}", SENT));
    }

    @Test
    void aTokenFromTheFutureAndAnEndlessOneAreTakenForNew() throws IOException {
        assertEquals(1, timesAsked("{\"token\":\"abc\",\"expires_in\":9223372036854775807,\"issued_at\":\"2094-11-06T08:44:42Z\"}", SENT));
    }

    @Test
    void aLifeOfLessThanAMinuteCountsAsOneAsInDocker() throws IOException {
        assertEquals(1, timesAsked("{\"access_token\":\"abc\",\"expires_in\":-5}", SENT));
        assertEquals(Optional.of("Bearer abc"), authorization.header(_ -> null));
    }

    /// @return how often a token was asked for in three requests
    private int timesAsked(String answer, Optional<Instant> sent) throws IOException {
        Authorization.TokenService service = request -> {
            asked.add(request.build().uri());
            return new Authorization.TokenAnswer(answer.getBytes(UTF_8), sent);
        };
        assertTrue(authorization.answer(BEARER, authorization.header(_ -> null), service));
        authorization.header(service);
        authorization.header(service);
        return asked.size();
    }
}
