package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Signals that change or question a daemon that runs.
class ReloadIT {
    private static final Duration SOON = Duration.ofSeconds(30);

    private static void hangUp(Engine engine) {
        Command.of("kill", "-HUP", Long.toString(engine.daemon().pid())).run().succeeded();
    }

    private static String info(Engine engine, String template) {
        return engine.docker().run("info", "--format", template).succeeded();
    }

    private static boolean logHas(Engine engine, String text) {
        return Engine.become(SOON, () -> engine.logTail().contains(text));
    }

    @Test void aHangUpTakesUpWhatTheFileSaysAndAWrongFileChangesNothing(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("daemon.json"), "{\"labels\": [\"a=b\"]}");
        try (var engine = Engine.start("--bridge=none", "--config-file=" + file)) {
            assertEquals("[a=b] false false", info(engine, "{{.Labels}} {{.Debug}} {{.LiveRestoreEnabled}}"));
            var begin = Instant.now();
            Files.writeString(file, """
                    {"labels": ["c=d", "e=f"], "debug": true, "live-restore": true, "max-concurrent-downloads": 7, "insecure-registries": ["x:5000"],
                     "registry-mirrors": ["http://m:80"], "shutdown-timeout": 3, "default-shm-size": "32m"}""");
            hangUp(engine);
            assertTrue(Engine.become(SOON, () -> info(engine, "{{.Labels}} {{.Debug}} {{.LiveRestoreEnabled}} {{.RegistryConfig.Mirrors}}")
                    .equals("[c=d e=f] true true [http://m:80/]")), engine::logTail);
            assertTrue(info(engine, "{{json .RegistryConfig.IndexConfigs}}").contains("\"x:5000\""));
            String event = engine.docker().run("events", "--since", begin.toString(), "--until", Instant.now().toString(), "--filter", "type=daemon",
                    "--format", "{{json .}}").succeeded();
            var attributes = new ObjectMapper().readTree(event).path("Actor").path("Attributes");
            assertEquals("reload", new ObjectMapper().readTree(event).path("Action").asText());
            assertEquals("[\"c=d\",\"e=f\"] true true 7 5 [\"x:5000\"] [\"http://m:80\"] 3 33554432", String.join(" ", attributes.path("labels").asText(),
                    attributes.path("debug").asText(), attributes.path("live-restore").asText(), attributes.path("max-concurrent-downloads").asText(),
                    attributes.path("max-concurrent-uploads").asText(), attributes.path("insecure-registries").asText(),
                    attributes.path("registry-mirrors").asText(), attributes.path("shutdown-timeout").asText(), attributes.path("default-shm-size").asText()));

            for (var wrong : new String[][] {{"{\"labels\": [\"a=b\"", "unable to configure the Docker daemon with file " + file},
                    {"{\"nonsense\": 1}", "the following directives don't match any configuration option: nonsense"},
                    {"{\"labels\": [\"a=1\", \"a=2\"]}", "conflict labels for a=2 and a=1"},
                    {"{\"max-concurrent-downloads\": -1}", "invalid max concurrent downloads: -1"}}) {
                Files.writeString(file, wrong[0]);
                hangUp(engine);
                assertTrue(logHas(engine, wrong[1]), engine::logTail);
                assertEquals("[c=d e=f]", info(engine, "{{.Labels}}"));
            }
            // What the file says no more stays.
            Files.writeString(file, "{\"labels\": [\"g=h\"]}");
            hangUp(engine);
            assertTrue(Engine.become(SOON, () -> info(engine, "{{.Labels}} {{.LiveRestoreEnabled}}").equals("[g=h] true")));
        }
    }

    @Test void aDumpOfThreadsIsWrittenWhereTheLogSays() throws IOException {
        try (var engine = Engine.start("--bridge=none")) {
            Command.of("kill", "-USR1", Long.toString(engine.daemon().pid())).run().succeeded();
            assertTrue(logHas(engine, "thread stacks written to " + engine.exec()), engine::logTail);
            String line = engine.logTail().lines().filter(l -> l.contains("thread stacks written to")).findFirst().orElseThrow();
            Path dump = Path.of(line.replaceFirst(".*written to ", "").replace("\"", ""));
            assertTrue(Files.readString(dump).contains("\"main\""));
        }
    }
}
