package io.balena.engine.runtime.command;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class CommandWordsTest {
    private static CommandWords parse(CommandVerb verb, String... words) throws CommandUsage {
        return verb.parse("runc", List.of(words));
    }

    @Test
    void flagsHaveOneDashOrTwoAndValuesBehindABlankOrAnEqualsSign() throws Exception {
        for (String[] words : new String[][] {
            {"--bundle", "/b", "id"}, {"-bundle=/b", "id"}, {"-b", "/b", "id"}, {"--bundle=/b", "id"}, {"id", "--b=/b"}
        }) {
            var parsed = parse(CommandVerb.RUN, words);
            assertEquals("/b", parsed.value("bundle"));
            assertEquals(List.of("id"), parsed.arguments());
        }
    }

    @Test
    void whatFollowsTheContainerOfAnExecIsItsProgram() throws Exception {
        var parsed = parse(CommandVerb.EXEC, "-e", "A=b", "--env=C=d", "-d", "id", "ls", "-l", "--", "-d");
        assertEquals(List.of("id", "ls", "-l", "--", "-d"), parsed.arguments());
        assertEquals(List.of("A=b", "C=d"), parsed.values("env"));
        assertTrue(parsed.has("detach"));
    }

    @Test
    void aFlagMayBeTakenBackAndMayBeMissing() throws Exception {
        var parsed = parse(CommandVerb.RUN, "--detach=false", "id");
        assertFalse(parsed.has("detach"));
        assertNull(parsed.value("bundle"));
        assertEquals(0, parsed.number("preserve-fds", 0));
    }

    @Test
    void twoDashesEndTheFlags() throws Exception {
        assertEquals(List.of("-id"), parse(CommandVerb.START, "--", "-id").arguments());
    }

    @Test
    void whatMakesNoSenseIsToldWithTheVerb() {
        assertUsage("flag provided but not defined: -none", CommandVerb.RUN, "--none", "id");
        assertUsage("flag needs an argument: -bundle", CommandVerb.RUN, "id", "--bundle");
        assertUsage("runc: \"run\" requires exactly 1 argument(s)", CommandVerb.RUN);
        assertUsage("runc: \"kill\" requires a minimum of 1 argument(s)", CommandVerb.KILL);
        assertUsage("runc: \"kill\" requires a maximum of 2 argument(s)", CommandVerb.KILL, "a", "b", "c");
    }

    private static void assertUsage(String message, CommandVerb verb, String... words) {
        var usage = assertThrows(CommandUsage.class, () -> parse(verb, words));
        assertEquals(message, usage.getMessage());
        assertEquals(verb, usage.verb());
    }
}
