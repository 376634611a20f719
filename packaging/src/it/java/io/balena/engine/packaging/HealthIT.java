package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Health checks, beside dockerd where it is exact.
@ExtendWith(SharedSideBySide.class)
class HealthIT {
    private static final Duration SOON = Duration.ofSeconds(60);

    private static JsonNode health(Engine engine, String container) {
        return engine.get("/containers/" + container + "/json").path("State").path("Health");
    }

    private static boolean becomes(Engine engine, String container, String status) {
        return Engine.become(SOON, () -> health(engine, container).path("Status").asText().equals(status));
    }

    private static String status(Engine engine, String container) {
        return engine.docker().run("ps", "-a", "--filter", "name=^" + container + "$", "--format", "{{.Status}}").succeeded();
    }

    @Test void whatIsNotPossibleIsSaidInDockersWordsAndWhatIsSaidIsShown(SideBySide both) {
        for (String check : List.of("{\"Test\":[\"CMD\",\"true\"],\"Interval\":1}", "{\"Test\":[\"CMD\",\"true\"],\"Timeout\":999999}",
                "{\"Test\":[\"CMD\",\"true\"],\"Retries\":-1}", "{\"Test\":[\"CMD\",\"true\"],\"StartPeriod\":5}", "{\"Interval\":-5}",
                "{\"Test\":\"true\"}", "{\"Interval\":\"1s\"}")) {
            both.agreeOn("api /containers/create -H 'Content-Type: application/json' -d '{\"Image\":\"busybox:it\",\"Healthcheck\":" + check + "}'");
        }
        both.agreeOn("docker run -d --name none --no-healthcheck busybox:it sleep 1000 >/dev/null; docker inspect -f '{{json .State.Health}} {{json .Config.Healthcheck}}' none",
                "docker run -d --name cmd --health-cmd 'echo failed >&2; exit 3' --health-interval 200ms --health-retries 2 --health-timeout 90s busybox:it sleep 1000 >/dev/null",
                "docker inspect -f '{{json .Config.Healthcheck}}' cmd",
                "until docker inspect -f '{{.State.Health.Status}}' cmd | grep -q unhealthy; do :; done; docker stop -t 0 cmd",
                "docker inspect -f '{{.State.Health.Status}}' cmd; docker ps -aq --filter health=unhealthy | wc -l",
                "docker inspect -f '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}' cmd",
                "docker ps --filter health=ill",
                "docker ps --filter health=none --format '{{.Names}}'");
    }

    @Test void aContainerIsStartingThenHealthyThenUnhealthyAndEventsSaySo() {
        try (var engine = Engine.start("--bridge=none")) {
            BusyboxImage.importInto(engine);
            var docker = engine.docker();
            var begin = Instant.now();
            docker.run("run", "-d", "--name", "probed", "--health-cmd", "echo probing; test -e /well", "--health-interval", "300ms",
                    "--health-retries", "3", "--health-start-period", "1h", BusyboxImage.NAME, "sleep", "1000").succeeded();
            assertTrue(status(engine, "probed").endsWith("(health: starting)"), status(engine, "probed"));
            // In the start period a failure is logged and not counted; that it is probed at all is due to the start interval.
            assertTrue(Engine.become(SOON, () -> !health(engine, "probed").path("Log").isEmpty()));
            assertEquals("starting 0", health(engine, "probed").path("Status").asText() + " " + health(engine, "probed").path("FailingStreak").asInt());
            docker.run("exec", "probed", "touch", "/well").succeeded();
            assertTrue(becomes(engine, "probed", "healthy"));
            assertTrue(status(engine, "probed").endsWith("(healthy)"), status(engine, "probed"));
            JsonNode probe = StreamSupport.stream(health(engine, "probed").path("Log").spliterator(), false).reduce((_, last) -> last).orElseThrow();
            assertEquals("0 probing\n", probe.path("ExitCode").asInt() + " " + probe.path("Output").asText());
            assertTrue(!Instant.parse(probe.path("End").asText()).isBefore(Instant.parse(probe.path("Start").asText())), probe::toString);
            docker.run("exec", "probed", "rm", "/well").succeeded();
            assertTrue(becomes(engine, "probed", "unhealthy"));
            assertTrue(health(engine, "probed").path("FailingStreak").asInt() >= 3);
            var events = docker.run("events", "--since", begin.toString(), "--until", Instant.now().toString(), "--filter", "container=probed",
                    "--format", "{{.Action}}").succeeded().lines().filter(action -> action.startsWith("health_status")).toList();
            assertEquals(List.of("health_status: healthy", "health_status: unhealthy"), events);
            docker.run("restart", "-t", "0", "probed").succeeded();
            assertEquals("starting 0 5", health(engine, "probed").path("Status").asText() + " " + health(engine, "probed").path("FailingStreak").asInt()
                    + " " + health(engine, "probed").path("Log").size());
        }
    }

    @Test void aProbeThatTakesTooLongIsKilledWithWhatItStarted() {
        try (var engine = Engine.start("--bridge=none")) {
            BusyboxImage.importInto(engine);
            var docker = engine.docker();
            docker.run("run", "-d", "--name", "slow", "--health-cmd", "sleep 1001 | sleep 1002", "--health-interval", "300ms", "--health-timeout", "1500ms",
                    BusyboxImage.NAME, "sleep", "1000").succeeded();
            assertTrue(Engine.become(SOON, () -> health(engine, "slow").path("Log").size() >= 2));
            JsonNode probe = health(engine, "slow").path("Log").get(0);
            assertEquals("-1 Health check exceeded timeout (1.5s)", probe.path("ExitCode").asInt() + " " + probe.path("Output").asText());
            assertTrue(Duration.between(Instant.parse(probe.path("Start").asText()), Instant.parse(probe.path("End").asText())).toMillis() >= 1500);
            // At most the one that is under way: its shell and two programs.
            var top = docker.run("top", "slow", "-o", "pid,args").succeeded().lines().filter(line -> line.matches("\\s*\\d+ sleep 100[12]\\s*")).count();
            assertTrue(top <= 2, () -> top + " programs of probes");
        }
    }

    @Test void aPausedContainerIsNotProbed() {
        try (var engine = Engine.start("--bridge=none")) {
            BusyboxImage.importInto(engine);
            var docker = engine.docker();
            docker.run("run", "-d", "--name", "paused", "--health-cmd", "true", "--health-interval", "100ms", BusyboxImage.NAME, "sleep", "1000").succeeded();
            docker.run("run", "-d", "--name", "other", "--health-cmd", "true", "--health-interval", "100ms", BusyboxImage.NAME, "sleep", "1000").succeeded();
            assertTrue(becomes(engine, "paused", "healthy"));
            docker.run("pause", "paused").succeeded();
            assertEquals("unhealthy", health(engine, "paused").path("Status").asText());
            var log = health(engine, "paused").path("Log");
            assertTrue(becomes(engine, "other", "healthy"));
            // Five probes are kept: when the first of them is another, the other container has been probed meanwhile.
            var first = health(engine, "other").at("/Log/0/Start").asText();
            assertTrue(Engine.become(SOON, () -> !health(engine, "other").at("/Log/0/Start").asText().equals(first)));
            assertEquals(log, health(engine, "paused").path("Log"));
            docker.run("unpause", "paused").succeeded();
            assertTrue(becomes(engine, "paused", "healthy"));
        }
    }

    @Test void anotherDaemonGoesOnWhereTheFirstWasKilled() {
        try (var engine = Engine.start("--bridge=none")) {
            BusyboxImage.importInto(engine);
            var docker = engine.docker();
            docker.run("run", "-d", "--name", "ill", "--health-cmd", "exit 1", "--health-interval", "1h", "--health-retries", "1", BusyboxImage.NAME,
                    "sleep", "1000").succeeded();
            docker.run("run", "-d", "--name", "well", "--health-cmd", "true", "--health-interval", "300ms", BusyboxImage.NAME, "sleep", "1000").succeeded();
            assertTrue(becomes(engine, "well", "healthy"));
            engine.killDaemon();
            engine.startDaemon();
            assertEquals("starting", health(engine, "ill").path("Status").asText());
            JsonNode known = health(engine, "well");
            assertEquals("healthy", known.path("Status").asText());
            assertTrue(Engine.become(SOON, () -> !health(engine, "well").path("Log").equals(known.path("Log"))));
            assertEquals("healthy", health(engine, "well").path("Status").asText());
        }
    }

    @Test void probesWriteNothingToTheDisk() {
        try (var engine = Engine.start("--bridge=none")) {
            BusyboxImage.importInto(engine);
            engine.docker().run("run", "-d", "--name", "probed", "--health-cmd", "true", "--health-interval", "50ms", BusyboxImage.NAME, "sleep", "1000").succeeded();
            assertTrue(becomes(engine, "probed", "healthy"));
            var mark = engine.scratch().resolve("mark");
            Command.of("touch", mark.toString()).run().succeeded();
            JsonNode known = health(engine, "probed").path("Log");
            JsonNode last = known.get(known.size() - 1);
            assertTrue(Engine.become(SOON, () -> {
                JsonNode log = health(engine, "probed").path("Log");
                return Instant.parse(log.get(0).path("Start").asText()).isAfter(Instant.parse(last.path("Start").asText()));
            }));
            assertEquals("", Command.of("find", engine.data().toString(), "-newer", mark.toString(), "-path", "*containers*").run().succeeded());
        }
    }

    @Test void anUnhealthyContainerIsRestartedAsItsPolicyHasItWhereThatIsAskedFor() {
        try (var engine = Engine.start("--bridge=none", "--experimental")) {
            BusyboxImage.importInto(engine);
            var docker = engine.docker();
            var begin = Instant.now();
            // It ends with 0 when it is asked to: its health makes that a failure.
            for (var policy : List.of("on-failure", "always", "no")) {
                docker.run("run", "-d", "--name", policy, "--restart", policy, "--health-cmd", "test -e /well", "--health-interval", "200ms", "--health-retries", "2",
                        BusyboxImage.NAME, "sh", "-c", "trap 'touch /well; exit 0' TERM; while :; do sleep 0.05; done").succeeded();
            }
            for (var policy : List.of("on-failure", "always")) {
                assertTrue(becomes(engine, policy, "healthy"), () -> policy + health(engine, policy));
                assertEquals("1", docker.run("inspect", "-f", "{{.RestartCount}}", policy).succeeded());
                var actions = docker.run("events", "--since", begin.toString(), "--until", Instant.now().toString(), "--filter", "container=" + policy, "--format",
                        "{{.Action}}").succeeded().lines().filter(action -> List.of("start", "die").contains(action) || action.startsWith("health")).toList();
                assertEquals(List.of("start", "health_status: unhealthy", "die", "start", "health_status: healthy"), actions);
            }
            assertTrue(becomes(engine, "no", "unhealthy"));
            assertEquals("true", docker.run("inspect", "-f", "{{.State.Running}}", "no").succeeded());
        }
    }
}
