package io.balena.engine.daemon.container;

import io.balena.engine.daemon.Timestamps;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// What users type and read: names, signals, keys, times.
class WordsTest {
    @Test
    void namesAreCheckedAsDockerDoes() {
        assertEquals("web-1", ContainerName.require("/web-1"));
        for (String wrong : List.of("a/b", "w", "", "-x", ".hidden", "späti", "../../etc")) {
            assertThrows(InvalidRequest.class, () -> ContainerName.require(wrong), wrong);
        }
    }

    @Test
    void signalsHaveNamesAndNumbers() {
        for (String name : List.of("SIGTERM", "term", "TERM", "15")) assertEquals(15, Signal.parse(name).number());
        assertEquals(37, Signal.parse("RTMIN+3").number());
        for (String wrong : List.of("FOO", "0", "65", "-1", "", "SIG")) {
            assertEquals("Invalid signal: " + wrong, assertThrows(InvalidRequest.class, () -> Signal.parse(wrong)).getMessage());
        }
    }

    @Test
    void theDetachKeysAreHeldBackUntilItIsClear() {
        var keys = DetachKeys.parse("");
        assertArrayEquals(new byte[] {'a'}, keys.accept(new byte[] {'a', 16}, 2).forwarded());
        assertArrayEquals(new byte[] {16, 'b'}, keys.accept(new byte[] {'b'}, 1).forwarded());
        assertArrayEquals(new byte[] {16}, keys.accept(new byte[] {16, 16}, 2).forwarded());
        var typed = keys.accept(new byte[] {17, 'x'}, 2);
        assertTrue(typed.detached());
        assertEquals(0, typed.forwarded().length);
        assertTrue(DetachKeys.parse("ctrl-a").accept(new byte[] {'x', 1}, 2).detached());
        assertFalse(DetachKeys.parse("ctrl-a").accept(new byte[] {'x'}, 1).detached());
        assertThrows(InvalidRequest.class, () -> DetachKeys.parse("ctrl-xy"));
    }

    @Test
    void timesAreSecondsDatesOrSpans() {
        Instant now = Instant.parse("2026-01-01T12:00:00Z");
        assertEquals(Instant.ofEpochSecond(5, 500_000_000), Timestamps.parse("5.5", now));
        assertEquals(now.minusSeconds(90), Timestamps.parse("1m30s", now));
        assertEquals(now, Timestamps.parse("2026-01-01T13:00:00+01:00", now));
        assertThrows(InvalidRequest.class, () -> Timestamps.parse("yesterday", now));
    }

    @Test
    void spansAreToldAsInDockerPs() {
        assertEquals("Less than a second", Durations.inWords(Duration.ofMillis(300)));
        assertEquals("45 seconds", Durations.inWords(Duration.ofSeconds(45)));
        assertEquals("About a minute", Durations.inWords(Duration.ofSeconds(100)));
        assertEquals("3 minutes", Durations.inWords(Duration.ofSeconds(200)));
        assertEquals("About an hour", Durations.inWords(Duration.ofMinutes(70)));
        assertEquals("2 days", Durations.inWords(Duration.ofHours(50)));
        assertEquals("Exited (3) 2 minutes ago", ContainerList.status(
                new ContainerState.Exited(3, false, Instant.EPOCH, Instant.EPOCH, ""), Optional.empty(), Instant.ofEpochSecond(120)));
    }

    @Test
    void pausesBetweenRestartsDoubleUpToAMinute() {
        Duration pause = Restarts.next(null, Duration.ZERO);
        assertEquals(Duration.ofMillis(100), pause);
        for (int i = 0; i < 20; i++) pause = Restarts.next(pause, Duration.ofSeconds(1));
        assertEquals(Duration.ofMinutes(1), pause);
        assertEquals(Duration.ofMillis(100), Restarts.next(pause, Duration.ofSeconds(11)));
    }

    @Test
    void onlyTheContainersProcessesAreShown() {
        var top = ProcessList.select(List.of("UID  PID CMD", "root 1 init", "root 42 sh -c a b", "root 43 x"), Set.of(42));
        assertEquals("{\"Processes\":[[\"root\",\"42\",\"sh -c a b\"]],\"Titles\":[\"UID\",\"PID\",\"CMD\"]}", top.toString());
    }
}
