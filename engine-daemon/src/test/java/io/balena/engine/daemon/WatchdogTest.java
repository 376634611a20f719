package io.balena.engine.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class WatchdogTest {
    @Test
    void itIsOnlyForTheProcessThatSystemdMeans() {
        assertEquals(Optional.of(Duration.ofSeconds(360)), Watchdog.limit(Map.of("WATCHDOG_USEC", "360000000"), 7));
        assertEquals(Optional.of(Duration.ofSeconds(360)), Watchdog.limit(Map.of("WATCHDOG_USEC", "360000000", "WATCHDOG_PID", "7"), 7));
        assertEquals(Optional.empty(), Watchdog.limit(Map.of("WATCHDOG_USEC", "360000000", "WATCHDOG_PID", "8"), 7));
        assertEquals(Optional.empty(), Watchdog.limit(Map.of(), 7));
        for (String nonsense : new String[] {"0", "", "-1", "soon"}) {
            assertEquals(Optional.empty(), Watchdog.limit(Map.of("WATCHDOG_USEC", nonsense), 7));
        }
    }
}
