package io.balena.engine.daemon.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.Set;
import org.junit.jupiter.api.Test;

class FiltersTest {
    @Test
    void bothFormsOfClientsMeanTheSame() {
        assertEquals(Set.of("a", "b"), Filters.parse("{\"name\":[\"a\",\"b\"]}").get("name"));
        assertEquals(Set.of("a"), Filters.parse("{\"name\":{\"a\":true,\"b\":false}}").get("name"));
        assertEquals(Set.of(), Filters.parse("").get("name"));
    }

    @Test
    void anythingElseIsRefused() {
        for (String bad : new String[] {"x", "[]", "{\"name\":1}", "{\"name\":[1]}", "{\"name\":{\"a\":1}}", "{"}) {
            assertThrows(InvalidRequest.class, () -> Filters.parse(bad), bad);
        }
    }

    @Test
    void aKeyTheEndpointDoesNotKnowIsRefused() {
        assertThrows(InvalidRequest.class, () -> Filters.parse("{\"foo\":[\"a\"]}").allow(Set.of("name")));
    }
}
