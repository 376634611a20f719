package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// create, start, exec, stop, rm, over and over: neither daemon nor shim may hold more at the end than they did once warm.
///
/// The long test makes `-Dcycles`, 5000 unless told.
class SoakIT {
    private static final int LONG = Integer.getInteger("cycles", 5000);
    private static final int SAMPLES = 20;
    /// What counts as noise: of a collector that moves things, of compiled code that is still being made.
    private static final long MEMORY_NOISE_KIB = 4 << 10;

    @Test void sixtyLivesLeaveNothingBehind() throws IOException {
        List<Holdings> samples = soak(60, 6);
        assertNoObjectsMore(samples);
    }

    @Tag("long")
    @Test void thousandsOfLivesLeaveNothingBehindAndTakeNoMemory() throws IOException {
        List<Holdings> samples = soak(LONG, LONG / SAMPLES);
        assertNoObjectsMore(samples);
        for (String figure : samples.getFirst().figures().keySet()) {
            if (!figure.endsWith("heap KiB") && !figure.endsWith("anonymous KiB") && !figure.endsWith("PSS KiB")) continue;
            ToLongFunction<Holdings> value = sample -> sample.figures().get(figure);
            int quarter = samples.size() / 4;
            long early = median(samples.subList(quarter, 2 * quarter), value);
            long late = median(samples.subList(samples.size() - quarter, samples.size()), value);
            assertTrue(late <= early + MEMORY_NOISE_KIB, () -> figure + " grew from " + early + " to " + late);
        }
    }

    private static List<Holdings> soak(int cycles, int between) throws IOException {
        String cgroups = "soak-" + ProcessHandle.current().pid();
        List<Holdings> samples = new ArrayList<>();
        try (var engine = Engine.start("--cgroup-parent=/" + cgroups)) {
            BusyboxImage.importInto(engine);
            for (int cycle = 1; cycle <= cycles; cycle++) {
                live(engine.api(), cycle % 2 == 0 ? "none" : "bridge", cycle % 3 == 0);
                if (cycle % between != 0) continue;
                var sample = Holdings.of(engine, cgroups);
                samples.add(sample);
                if (samples.size() == 1) System.out.println("cycle | " + String.join(" | ", sample.figures().keySet()));
                System.out.println(cycle + " | " + String.join(" | ", sample.figures().values().stream().map(String::valueOf).toList()));
            }
        } finally {
            Command.of("sh", "-c", "find /sys/fs/cgroup -depth -type d -path '*/" + cgroups + "*' -exec rmdir {} ';'").run();
        }
        return samples;
    }

    private static void live(Api api, String network, boolean terminal) throws IOException {
        String id = api.post("/containers/create", """
                {"Image": "%s", "Cmd": ["sleep", "1000"], "StopSignal": "SIGKILL", "Tty": %s, "HostConfig": {"NetworkMode": "%s"},
                 "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1000000000}}"""
                .formatted(BusyboxImage.NAME, terminal, network)).json().path("Id").asText();
        done(api.post("/containers/" + id + "/start"));
        String exec = api.post("/containers/" + id + "/exec", "{\"Cmd\": [\"sh\", \"-c\", \"echo inside; exit 7\"], \"AttachStdout\": true}")
                .json().path("Id").asText();
        var said = api.post("/exec/" + exec + "/start", "{}");
        assertTrue(said.body().contains("inside"), said::body);
        // The end of its output is heard of a moment before its own.
        assertTrue(Engine.become(Duration.ofSeconds(20), () -> exitCode(api, exec) == 7), () -> "exit code " + exitCode(api, exec));
        done(api.post("/containers/" + id + "/stop"));
        assertEquals(137, api.get("/containers/" + id + "/json").json().path("State").path("ExitCode").asInt(-1));
        done(api.delete("/containers/" + id));
    }

    private static int exitCode(Api api, String exec) {
        try {
            return api.get("/exec/" + exec + "/json").json().path("ExitCode").asInt(-1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void done(Api.Answer answer) {
        assertTrue(answer.succeeded(), answer::body);
    }

    /// Threads and descriptors come and go by a few; a leak of one in a cycle is far beyond that.
    private static void assertNoObjectsMore(List<Holdings> samples) {
        for (String figure : samples.getFirst().figures().keySet()) {
            if (figure.endsWith("KiB")) continue;
            ToLongFunction<Holdings> value = sample -> sample.figures().get(figure);
            int third = samples.size() / 3;
            long early = samples.subList(0, third).stream().mapToLong(value).min().orElseThrow();
            long late = samples.subList(samples.size() - third, samples.size()).stream().mapToLong(value).min().orElseThrow();
            long noise = figure.endsWith("fds") || figure.endsWith("threads") ? 4 : 0;
            assertTrue(late <= early + noise, () -> figure + " grew from " + early + " to " + late);
        }
    }

    private static long median(List<Holdings> samples, ToLongFunction<Holdings> value) {
        return samples.stream().mapToLong(value).sorted().skip(samples.size() / 2).findFirst().orElseThrow();
    }
}
