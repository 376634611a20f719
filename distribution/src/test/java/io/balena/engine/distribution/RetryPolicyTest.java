package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class RetryPolicyTest {
    private static final RetryPolicy QUICK = new RetryPolicy(4, Duration.ofMillis(1), Duration.ofMillis(2));

    @ParameterizedTest(name = "{0} is {1} s")
    @CsvSource(delimiter = '|', value = {
        "7                             | 7",
        "Sun, 06 Nov 1994 08:50:07 GMT | 30",
        "Sun, 06 Nov 1994 08:49:37 GMT | ",
        "Sun, 06 Nov 1994 08:00:00 GMT | ",
        "-5                            | ",
        "99999999999999999999          | ",
        "soon                          | ",
    })
    void aRegistryAsksForTimeInSecondsOrByAMomentOnItsOwnClock(String asked, Integer seconds) {
        HttpHeaders headers = HttpHeaders.of(
                Map.of("Retry-After", List.of(asked), "Date", List.of("Sun, 06 Nov 1994 08:49:37 GMT")), (_, _) -> true);
        assertEquals(Optional.ofNullable(seconds).map(Duration::ofSeconds), RetryAfter.of(headers));
    }

    @Test
    void itIsGivenThatTimeAndALittleMore() {
        assertEquals(31, firstOfCountdown("30"));
    }

    @Test
    void nobodySendsUsAwayForADay() {
        assertEquals(301, firstOfCountdown("86400"));
    }

    @ParameterizedTest
    @ValueSource(ints = {400, 401, 403, 404, 407, 410, 416})
    void aRefusalIsNeverTriedAgain(int status) {
        assertFalse(RetryPolicy.worthRetrying(failure(status, "")));
        assertEquals(1, attempts(failure(status, "")));
    }

    @ParameterizedTest
    @ValueSource(ints = {408, 429, 500, 502, 503, 504})
    void whatMayPassIsTriedAgain(int status) {
        assertTrue(RetryPolicy.worthRetrying(failure(status, "")));
        assertEquals(4, attempts(failure(status, "")));
    }

    private static int attempts(IOException failure) {
        List<Integer> attempts = new ArrayList<>();
        assertThrows(IOException.class, () -> QUICK.retrying(new Cancellation(), () -> {
            attempts.add(1);
            throw failure;
        }));
        return attempts.size();
    }

    /// Leaves when it hears how long it would have to wait.
    private static int firstOfCountdown(String asked) {
        Cancellation cancellation = new Cancellation();
        List<Integer> countdown = new ArrayList<>();
        assertThrows(InterruptedIOException.class, () -> QUICK.pause(failure(429, asked), 1, cancellation, seconds -> {
            countdown.add(seconds);
            cancellation.cancel();
        }));
        return countdown.getFirst();
    }

    private static RegistryFailure failure(int status, String retryAfter) {
        return RegistryFailure.of(status, HttpHeaders.of(Map.of("Retry-After", List.of(retryAfter)), (_, _) -> true), new byte[0]);
    }
}
