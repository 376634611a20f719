package io.balena.engine.daemon.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.event.Event;
import io.balena.engine.daemon.http.Filters;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EventFilterTest {
    private static final Event EXEC = new Event("container", "exec_create: sh", "0123456789ab",
            Map.of("name", "web", "image", "busybox:1", "app", "x"), Instant.EPOCH);

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
            "{\"type\":[\"container\"]}|true", "{\"type\":[\"image\"]}|false", "{\"event\":[\"exec_create\"]}|true", "{\"event\":[\"exec\"]}|false",
            "{\"container\":[\"web\"]}|true", "{\"container\":[\"0123\"]}|true", "{\"container\":[\"db\"]}|false", "{\"image\":[\"busybox\"]}|true",
            "{\"image\":[\"busybox:2\"]}|false", "{\"label\":[\"app\"]}|true", "{\"label\":[\"app=x\"]}|true", "{\"label\":[\"app=x\",\"b\"]}|false",
            "{\"volume\":[\"v\"]}|false"})
    void everyKeyMustHaveAValueThatFits(String filters, boolean expected) {
        assertEquals(expected, new EventFilter(Filters.parse(filters)).test(EXEC));
    }

    @Test
    void anUnknownKeyIsRefused() {
        assertThrows(InvalidRequest.class, () -> new EventFilter(Filters.parse("{\"foo\":[\"a\"]}")));
    }
}
