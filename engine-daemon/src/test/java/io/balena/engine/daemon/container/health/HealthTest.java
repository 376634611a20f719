package io.balena.engine.daemon.container.health;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HealthCheck;
import io.balena.engine.daemon.container.health.Health.Probe;
import io.balena.engine.daemon.container.health.Health.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HealthTest {
    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    private static HealthCheck check(String json) throws IOException {
        return HealthCheck.of(ContainerConfig.read(new ObjectMapper().readTree("{\"Healthcheck\":" + json.replace('\'', '"') + "}"))).orElseThrow();
    }

    private static Probe probe(int second, int code) {
        return new Probe(START.plusSeconds(second), START.plusSeconds(second), code, "at " + second);
    }

    @Test
    void enoughFailuresInARowMakeItUnhealthyAndOneSuccessHealthy() throws IOException {
        HealthCheck check = check("{'Test':['CMD','x'],'Retries':2}");
        Health health = Health.starting().after(probe(1, 1), check, START);
        assertEquals(new Health(Status.STARTING, 1, List.of(probe(1, 1))), health);
        health = health.after(probe(2, 7), check, START);
        assertEquals(Status.UNHEALTHY, health.status());
        health = health.after(probe(3, 0), check, START).after(probe(4, 1), check, START);
        assertEquals(Status.HEALTHY, health.status());
        assertEquals(1, health.failingStreak());
        assertEquals(Status.UNHEALTHY, health.after(probe(5, 1), check, START).status());
    }

    @Test
    void failuresWithinTheStartPeriodDoNotCountUntilASuccess() throws IOException {
        HealthCheck check = check("{'Test':['CMD','x'],'Retries':1,'StartPeriod':10000000000}");
        Health health = Health.starting().after(probe(9, 1), check, START);
        assertEquals(Status.STARTING, health.status());
        assertEquals(0, health.failingStreak());
        assertEquals(Status.UNHEALTHY, health.after(probe(10, 1), check, START).status());
        assertEquals(Status.UNHEALTHY, health.after(probe(2, 0), check, START).after(probe(3, 1), check, START).status());
    }

    @Test
    void theLastFiveProbesAreRemembered() throws IOException {
        Health health = Health.starting();
        for (int second = 1; second <= 7; second++) health = health.after(probe(second, 0), check("{'Test':['CMD','x']}"), START);
        assertEquals(List.of(probe(3, 0), probe(4, 0), probe(5, 0), probe(6, 0), probe(7, 0)), health.log());
    }

    @Test
    void whatIsNotSaidAboutAProbeIsDockers() throws IOException {
        assertEquals("HealthCheck[command=[/bin/sh, -c, a b], interval=PT30S, timeout=PT30S, startPeriod=PT0S, startInterval=PT5S, retries=3]",
                check("{'Test':['CMD-SHELL','a b']}").toString());
    }

    @Test
    void outputIsCutAtFourKilobytesAndItsFramesAreTakenOff() throws IOException {
        var pieces = new java.io.ByteArrayOutputStream();
        for (int piece = 0; piece < 5; piece++) {
            pieces.write(new byte[] {(byte) (1 + piece % 2), 0, 0, 0, 0, 0, 4, 0});
            pieces.write(String.valueOf((char) ('a' + piece)).repeat(1024).getBytes(StandardCharsets.US_ASCII));
        }
        var output = new ProbeOutput();
        output.readAll(Channels.newChannel(new ByteArrayInputStream(pieces.toByteArray())));
        assertEquals("a".repeat(1024) + "b".repeat(1024) + "c".repeat(1024) + "d".repeat(1024) + "...", output.text());
    }

    @Test
    void anotherEngineFindsWhatThisOneKnewAndNothingInADamagedFile(@TempDir Path folder) throws IOException {
        var files = new HealthFiles(folder.resolve("health"));
        assertEquals(Optional.empty(), files.load("c"));
        var health = new Health(Status.UNHEALTHY, 4, List.of(probe(1, -1), probe(2, 5)));
        files.save("c", health);
        assertEquals(Optional.of(health), files.load("c"));
        Files.writeString(folder.resolve("health/c"), "{\"Status\": \"HEA");
        assertEquals(Optional.empty(), files.load("c"));
        files.delete("c");
        assertEquals(Optional.empty(), files.load("c"));
    }
}
