package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Instant;
import org.junit.jupiter.api.Test;

class Rfc3339Test {
    @Test
    void timesEndWithoutZeros() {
        assertEquals("2026-01-02T03:04:05Z", Rfc3339.text(Instant.parse("2026-01-02T03:04:05Z")));
        assertEquals("2026-01-02T03:04:00Z", Rfc3339.text(Instant.parse("2026-01-02T03:04:00Z")));
        assertEquals("2026-01-02T03:04:05.6Z", Rfc3339.text(Instant.parse("2026-01-02T03:04:05.600Z")));
        assertEquals("2026-01-02T03:04:05.60911446Z", Rfc3339.text(Instant.parse("2026-01-02T03:04:05.609114460Z")));
        assertEquals("2026-01-02T03:04:05.000000001Z", Rfc3339.text(Instant.ofEpochSecond(1767323045, 1)));
    }
}
