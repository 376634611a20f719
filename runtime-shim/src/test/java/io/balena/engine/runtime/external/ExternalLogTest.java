package io.balena.engine.runtime.external;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExternalLogTest {
    @TempDir Path folder;

    private Optional<String> lastErrorOf(String content) throws IOException {
        return ExternalLog.lastError(Files.writeString(folder.resolve("log"), content));
    }

    @Test
    void theLastErrorIsFoundInWhatRuncAndCrunWrite() throws IOException {
        assertEquals(Optional.of("runc create failed: no"), lastErrorOf("""
                {"level":"warning","msg":"unable to …","time":"2026-11-22T19:17:21Z"}
                {"level":"error","msg":"runc create failed: no","time":"2026-11-22T19:17:21Z"}
                """));
        assertEquals(Optional.of("chdir `/no`: No such file or directory"), lastErrorOf(
                "{ \"msg\": \"chdir `/no`: No such file or directory\", \"level\": \"error\", \"time\": \"2026-11-22T19:17:21.000000000Z\" }\n"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n\n", "panic: all is lost", "{\"level\":\"error\"", "[{\"level\":\"error\"}]", "{\"level\":{\"error\":1},\"msg\":\"x\"}"})
    void whatIsNoErrorIsPassedOver(String content) throws IOException {
        assertEquals(Optional.empty(), lastErrorOf(content));
    }

    @Test
    void aLogThatWasNeverWrittenHasNoError() throws IOException {
        assertEquals(Optional.empty(), ExternalLog.lastError(folder.resolve("none")));
    }
}
