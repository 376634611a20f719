package io.balena.engine.runtime.container;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.balena.engine.linux.ProcessId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StateFileTest {
    @TempDir
    Path root;

    @Test
    void whatWasWrittenIsRead() throws IOException {
        var state = new StateFile("one", new ProcessId(7, 8), Path.of("/bundle"), "/cgroup");
        StateFile.reserve(root, "one");
        assertEquals(Optional.empty(), StateFile.read(root, "one"));
        state.write(root);
        assertEquals(Optional.of(state), StateFile.read(root, "one"));
        assertEquals(List.of("one"), StateFile.ids(root));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\0\0\0\0", "[]", "{", "{}", "{\"pid\":\"seven\"}", "{\"pid\":7,\"bundle\":\"a\\u0000\"}", "{\"pid\":99999999999}"})
    void aDamagedFileIsAsGoodAsNone(String content) throws IOException {
        StateFile.reserve(root, "one");
        Files.writeString(root.resolve("one/state.json"), content);
        assertEquals(Optional.empty(), StateFile.read(root, "one"));
        StateFile.remove(root, "one");
        assertEquals(List.of(), StateFile.ids(root));
    }
}
