package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What becomes of containers when their daemon is stopped, or killed.
class LiveRestoreIT {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final String POLITE = "trap 'echo asked; exit 9' TERM; echo ready; while :; do sleep 0.05; done";

    private static boolean says(Engine engine, String container, String text) {
        return Engine.become(SOON, () -> engine.docker().run("logs", container).out().contains(text));
    }

    private static String state(Engine engine, String container) {
        return engine.docker().run("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", container).succeeded();
    }

    @Test void withoutItContainersAreAskedToEndAndThosePoliciesWantAreStartedAgain() {
        try (var engine = Engine.start("--bridge=none")) {
            BusyboxImage.importInto(engine);
            var docker = engine.docker();
            for (var policy : List.of("no", "always", "unless-stopped", "on-failure")) {
                docker.run("run", "-d", "--name", policy, "--restart", policy, BusyboxImage.NAME, "sh", "-c", POLITE).succeeded();
                docker.run("run", "-d", "--name", "stopped-" + policy, "--restart", policy, BusyboxImage.NAME, "sh", "-c", POLITE).succeeded();
            }
            docker.run("run", "-d", "--rm", "--name", "removed", BusyboxImage.NAME, "sh", "-c", POLITE).succeeded();
            docker.run("run", "-d", "--name", "deaf", "--stop-timeout", "1", BusyboxImage.NAME, "sleep", "1000").succeeded();
            for (var policy : List.of("no", "always", "unless-stopped", "on-failure")) {
                assertTrue(says(engine, policy, "ready") && says(engine, "stopped-" + policy, "ready"));
                docker.run("stop", "stopped-" + policy).succeeded();
            }
            assertTrue(says(engine, "removed", "ready"));
            engine.stopDaemon();
            assertTrue(Engine.become(SOON, () -> engine.processes().isEmpty()), () -> engine.processes().stream().map(Engine::commandLine).toList().toString());
            engine.startDaemon();
            assertEquals("exited 9", state(engine, "no"));
            assertEquals("exited 137", state(engine, "deaf"));
            docker.run("inspect", "removed").endedWith(1);
            for (var again : List.of("always", "unless-stopped", "on-failure", "stopped-always")) {
                assertTrue(Engine.become(SOON, () -> state(engine, again).equals("running 0")), () -> again + " is " + state(engine, again));
                assertTrue(says(engine, again, "asked\nready"));
            }
            assertEquals("exited 9", state(engine, "stopped-unless-stopped"));
            assertEquals("exited 9", state(engine, "stopped-no"));
        }
    }

    @Test void withItContainersGoOnWithTheirLogsTerminalsAndPolicies() {
        try (var engine = Engine.start("--bridge=none", "--live-restore")) {
            BusyboxImage.importInto(engine);
            var docker = engine.docker();
            docker.run("run", "-d", "--name", "piped", BusyboxImage.NAME, "sh", "-c", POLITE).succeeded();
            docker.run("run", "-dit", "--name", "terminal", BusyboxImage.NAME, "sh", "-c", "echo ready; while read line; do echo \"got $line\"; done").succeeded();
            docker.run("run", "-d", "--name", "policy", "--restart", "on-failure:5", BusyboxImage.NAME, "sh", "-c", POLITE).succeeded();
            for (var each : List.of("piped", "terminal", "policy")) assertTrue(says(engine, each, "ready"));
            var pid = docker.run("inspect", "-f", "{{.State.Pid}}", "piped").succeeded();
            engine.stopDaemon();
            engine.startDaemon();
            assertEquals(pid, docker.run("inspect", "-f", "{{.State.Pid}}", "piped").succeeded());
            assertTrue(Engine.become(SOON, () -> {
                engine.type("terminal", "typed");
                return docker.run("logs", "terminal").out().contains("got typed");
            }));
            // Its program fails: the new daemon applies the policy.
            Command.of("kill", "-KILL", docker.run("inspect", "-f", "{{.State.Pid}}", "policy").succeeded()).run().succeeded();
            assertTrue(Engine.become(SOON, () -> docker.run("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "policy").succeeded().equals("1 running")));
            docker.run("stop", "piped").succeeded();
            assertEquals("exited 9", state(engine, "piped"));
        }
    }

    @Test void aKilledDaemonsContainersAreTakenUpWhateverItsSettingAndAutoRemoveIsDoneLater() {
        try (var engine = Engine.start("--bridge=none")) {
            BusyboxImage.importInto(engine);
            var docker = engine.docker();
            docker.run("run", "-d", "--name", "running", BusyboxImage.NAME, "sh", "-c", POLITE).succeeded();
            docker.run("run", "-d", "--rm", "--name", "removed", BusyboxImage.NAME, "sh", "-c", POLITE).succeeded();
            docker.run("run", "-d", "--restart", "always", "--name", "again", BusyboxImage.NAME, "sh", "-c", POLITE).succeeded();
            var removed = docker.run("inspect", "-f", "{{.State.Pid}}", "removed").succeeded();
            var again = docker.run("inspect", "-f", "{{.State.Pid}}", "again").succeeded();
            for (var each : List.of("running", "removed", "again")) assertTrue(says(engine, each, "ready"));
            engine.killDaemon();
            Command.of("kill", "-TERM", removed, again).run().succeeded();
            assertTrue(Engine.become(SOON, () -> ProcessHandle.of(Long.parseLong(removed)).isEmpty() && ProcessHandle.of(Long.parseLong(again)).isEmpty()));
            engine.startDaemon();
            assertEquals("running 0", state(engine, "running"));
            assertTrue(Engine.become(SOON, () -> docker.run("inspect", "removed").status() == 1));
            assertTrue(Engine.become(SOON, () -> docker.run("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "again").succeeded().equals("1 running")));
            assertTrue(says(engine, "again", "ready\nasked\nready"));
        }
    }
}
