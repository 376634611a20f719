package io.balena.engine.daemon.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.api.Test;

class ReferencePatternTest {
    @ParameterizedTest
    @CsvSource({"busy*, busybox, true", "busy*, busy/box, false", "*/box:?, a/box:1, true", "b[a-c]d, bbd, true", "b[^a-c]d, bbd, false",
            "a.b, axb, false", "a{b, a{b, true"})
    void matchesAsAShellDoes(String pattern, String text, boolean expected) {
        assertEquals(expected, ReferencePattern.of(pattern).matches(text));
    }

    @Test
    void anUnfinishedClassIsRefused() {
        assertThrows(InvalidRequest.class, () -> ReferencePattern.of("a["));
        assertThrows(InvalidRequest.class, () -> ReferencePattern.of("a\\"));
    }
}
