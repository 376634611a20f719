package io.balena.engine.runtime.spec;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import org.junit.jupiter.api.Test;

class RuntimeSpecTest {
    private final ObjectMapper json = new ObjectMapper();

    @Test
    void isWrittenAsTheSpecificationSpellsIt() throws Exception {
        var mount = new RuntimeSpec.Mount("/proc", "proc", "proc", List.of("nosuid"));
        assertEquals(
                "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\"]}",
                json.writeValueAsString(mount));
        var memory = new RuntimeSpec.Memory(1L, null, null, null, null, null, true);
        assertEquals("{\"limit\":1,\"disableOOMKiller\":true}", json.writeValueAsString(memory));
        var mapping = new RuntimeSpec.IdMapping(0, 100000, 65536);
        assertEquals("{\"containerID\":0,\"hostID\":100000,\"size\":65536}", json.writeValueAsString(mapping));
    }

    @Test
    void unlimitedIsWrittenAsTheLargestUnsignedNumber() throws Exception {
        assertEquals(
                "{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":18446744073709551615}",
                json.writeValueAsString(new RuntimeSpec.Rlimit("RLIMIT_CORE", 0, -1)));
    }

    @Test
    void whatIsMissingIsNotWritten() throws Exception {
        assertEquals("{\"mounts\":[],\"annotations\":{}}", json.writeValueAsString(new RuntimeSpec(
                null, null, null, null, null, null, null, null, null)));
    }
}
