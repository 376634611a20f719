package io.balena.engine.runtime.command;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.process.CapabilitySet;
import io.balena.engine.runtime.rootfs.MountOptions;
import io.balena.engine.runtime.seccomp.SeccompFilter;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.SpecReader;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What the command prints and reads besides bundles.
class RuncTextsTest {
    @Test
    void jsonIsIndentedAndEscapedAsGoDoes() {
        var json = new JsonOut(true).beginObject().field("a", "<\"\\\u0001\n>").name("b").beginArray().element(1).element("x").endArray()
                .name("c").beginObject().endObject().fieldUnlessZero("d", 0).field("e", 5).endObject();
        assertEquals(
                """
                {
                  "a": "\\u003c\\"\\\\\\u0001\\n\\u003e",
                  "b": [
                    1,
                    "x"
                  ],
                  "c": {},
                  "e": 5
                }""",
                json.toString());
        var compact = new JsonOut(false).beginArray().beginObject().field("a", 1).endObject().beginObject().endObject().endArray();
        assertEquals("[{\"a\":1},{}]", compact.toString());
    }

    @Test
    void signalsHaveNumbersAndNames() throws Exception {
        for (String name : List.of("9", "KILL", "SIGKILL", "sigkill")) assertEquals(9, Signals.number(name));
        assertEquals(37, Signals.number("SIGRTMIN+3"));
        assertEquals(63, Signals.number("RTMAX-1"));
        for (String name : List.of("NONE", "65", "-1", "RTMIN+40", "RTMINX", "")) {
            assertThrows(ContainerFailure.class, () -> Signals.number(name), name);
        }
    }

    @Test
    void theSpecsItWritesAreOnesItReads() throws Exception {
        for (String name : List.of("spec.json", "spec-rootless.json")) {
            var spec = SpecReader.spec(resource(name).replace("\"@UID@\"", "7").replace("\"@GID@\"", "8").getBytes());
            assertEquals(RuntimeSpec.OCI_VERSION, spec.ociVersion());
            assertEquals(List.of("sh"), spec.process().args());
        }
    }

    @Test
    void theFeaturesItClaimsAreThere() throws Exception {
        var features = new ObjectMapper().readTree(resource("features.json"));
        assertEquals(RuntimeSpec.OCI_VERSION, features.get("ociVersionMax").asText());
        for (var option : features.get("mountOptions")) {
            // What it does not know would be data for the file system.
            assertNull(MountOptions.of(List.of(option.asText())).data(), option.asText());
        }
        var linux = features.get("linux");
        for (var capability : linux.get("capabilities")) {
            assertEquals(1, Long.bitCount(CapabilitySet.of(List.of(capability.asText()))), capability.asText());
        }
        for (var action : linux.get("seccomp").get("actions")) {
            assertNotNull(SeccompFilter.of(new RuntimeSpec.Seccomp(action.asText(), null, null, null, null)), action.asText());
        }
    }

    private static String resource(String name) throws Exception {
        try (var in = SpecCommand.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes());
        }
    }
}
