package io.balena.engine.runtime.loop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LogClockTest {
    @ParameterizedTest
    @ValueSource(strings = {
        "2026-11-22T13:25:10.272222093Z",
        "2026-11-22T13:25:10.27228074Z",
        "2024-02-29T23:59:59.000000001Z",
        "2024-03-01T00:00:00Z",
        "2100-02-28T12:00:00.1Z",
        "1999-12-31T23:59:59.9Z",
        "1970-01-01T00:00:00.00001Z"
    })
    void aTimeIsWrittenAsGoWritesIt(String time) {
        assertEquals(time, format(Instant.parse(time)));
    }

    @Test
    void everyDayOfAFewYearsHasItsDate() {
        LogClock clock = new LogClock();
        for (long day = 19_000; day < 22_000; day++) {
            Instant noon = Instant.ofEpochSecond(day * 86_400 + 43_200);
            assertEquals(noon.toString(), text(clock.format(noon.getEpochSecond(), 0)));
        }
    }

    private static String format(Instant time) {
        return text(new LogClock().format(time.getEpochSecond(), time.getNano()));
    }

    private static String text(byte[] ascii) {
        return new String(ascii, StandardCharsets.US_ASCII);
    }
}
