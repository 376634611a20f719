package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// `kill -9` of the shim: containers go on, and the daemon starts another, which adopts them.
class ShimKillIT {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static Engine engine;
    private static DockerCli docker;

    @BeforeAll static void start() {
        engine = Engine.start("--bridge=none");
        BusyboxImage.importInto(engine);
        docker = engine.docker();
    }

    @AfterAll static void stop() {
        if (engine != null) engine.close();
    }

    private static boolean logBecomes(DockerCli.RunningContainer container, String text) {
        return Engine.become(SOON, () -> docker.run("logs", container.id()).out().equals(text));
    }

    @Test void aContainerGoesOnIsLoggedAnsweredAndStopped() {
        var signal = engine.scratch();
        try (var container = docker.background("-i", "-v", signal + ":/signal", BusyboxImage.NAME, "sh", "-c",
                "echo before; while [ ! -e /signal/go ]; do sleep 0.05; done; echo after; trap 'echo asked; exit 9' TERM; while :; do sleep 0.05; done")) {
            var pid = container.inspect("{{.State.Pid}}");
            assertTrue(logBecomes(container, "before\n"));
            engine.killShim();
            Command.of("touch", signal.resolve("go").toString()).run().succeeded();
            assertTrue(logBecomes(container, "before\nafter\n"));
            assertEquals("true " + pid, container.inspect("{{.State.Running}} {{.State.Pid}}"));
            assertEquals("inside", container.exec("echo", "inside").succeeded());
            docker.run("pause", container.id()).succeeded();
            docker.run("unpause", container.id()).succeeded();
            docker.run("stop", container.id()).succeeded();
            assertTrue(logBecomes(container, "before\nafter\nasked\n"));
        }
    }

    private static final String UNKNOWN = "255 the container ended while its shim was gone: its exit code is not known";

    @Test void theExitCodeOfOneThatADeadShimMadeIsWhatTheKernelTellsOrSaidToBeUnknown() {
        var signal = engine.scratch();
        try (var container = docker.background("-v", signal + ":/signal", BusyboxImage.NAME, "sh", "-c", "while [ ! -e /signal/go ]; do sleep 0.05; done; exit 3")) {
            engine.killShim();
            Command.of("touch", signal.resolve("go").toString()).run().succeeded();
            assertTrue(Engine.become(SOON, () -> container.inspect("{{.State.Status}}").equals("exited")));
            String told = container.inspect("{{.State.ExitCode}} {{.State.Error}}");
            assertTrue(List.of("3", UNKNOWN).contains(told), told);
        }
    }

    @Test void whatEndedWhileThereWasNeitherDaemonNorShimHasNoExitCodeAndSaysSo() {
        var signal = engine.scratch();
        try (var container = docker.background("-v", signal + ":/signal", BusyboxImage.NAME, "sh", "-c", "while [ ! -e /signal/go ]; do sleep 0.05; done; exit 3")) {
            var pid = container.inspect("{{.State.Pid}}");
            engine.killAll();
            Command.of("touch", signal.resolve("go").toString()).run().succeeded();
            assertTrue(Engine.become(SOON, () -> ProcessHandle.of(Long.parseLong(pid)).isEmpty()));
            engine.startDaemon();
            assertTrue(Engine.become(SOON, () -> container.inspect("{{.State.Status}}").equals("exited")));
            assertEquals(UNKNOWN, container.inspect("{{.State.ExitCode}} {{.State.Error}}"));
            docker.run("start", container.id()).succeeded();
            assertTrue(Engine.become(SOON, () -> container.inspect("{{.State.Status}}").equals("exited")));
            assertEquals("3", container.inspect("{{.State.ExitCode}} {{.State.Error}}"));
        }
    }

    @Test void aTerminalGoesOn() {
        try (var container = docker.background("-i", "-t", BusyboxImage.NAME, "sh", "-c", "echo ready; while read line; do echo \"got $line\"; done")) {
            assertTrue(logBecomes(container, "ready\r\n"));
            engine.killShim();
            assertEquals("alive", container.exec("echo", "alive").succeeded());
            assertEquals("running", container.inspect("{{.State.Status}}"));
            assertTrue(Engine.become(SOON, () -> {
                engine.type(container.id(), "typed");
                return docker.run("logs", container.id()).out().contains("got typed");
            }));
        }
    }

    @Test void execsOfADeadShimEndWithTheirContainer() {
        try (var container = docker.background("--pid=host", BusyboxImage.NAME, "sleep", "1000")) {
            container.exec("true").succeeded();
            var exec = docker.start("exec", container.id(), "sleep", "76543");
            try {
                assertTrue(Engine.become(SOON, () -> running("sleep 76543")));
                engine.killShim();
                assertTrue(Engine.become(SOON, () -> container.exec("true").status() == 0));
                assertTrue(running("sleep 76543"));
                docker.run("rm", "-f", container.id()).succeeded();
                assertTrue(Engine.become(SOON, () -> !running("sleep 76543")));
            } finally {
                exec.destroyForcibly();
            }
        }
    }

    private static boolean running(String commandLine) {
        return ProcessHandle.allProcesses().anyMatch(process -> Engine.commandLine(process).strip().equals(commandLine));
    }

    @Test void theOrphansOfAContainerInTheHostsPidNamespaceAreReaped() {
        try (var container = docker.background("--pid=host", BusyboxImage.NAME, "sleep", "1000")) {
            container.exec("sh", "-c", "(sleep 0.2 & exec sleep 0.01) & exit 0").succeeded();
            assertTrue(Engine.become(Duration.ofSeconds(90), () -> zombies().isEmpty()), () -> zombies().toString());
        }
    }

    /// Children of the shim that nobody has reaped.
    private static List<String> zombies() {
        return Command.of("ps", "--ppid", Long.toString(engine.shim().pid()), "-o", "stat=,pid=").run().out().lines()
                .filter(line -> line.startsWith("Z")).toList();
    }

    @Test void whatWasStartingWhenTheShimDiedCanBeStartedAgainOrRemoved() {
        for (int round = 0; round < 4; round++) {
            var id = docker.run("create", BusyboxImage.NAME, "sleep", "1000").succeeded();
            docker.run("run", "--rm", BusyboxImage.NAME, "true");
            var starting = docker.start("start", id);
            Engine.become(Duration.ofMillis(20L * round), () -> false);
            engine.killShim();
            Engine.become(SOON, () -> !starting.isAlive());
            assertTrue(Engine.become(SOON, () -> docker.run("start", id).status() == 0), () -> docker.run("start", id).toString());
            assertEquals("running", docker.run("inspect", "-f", "{{.State.Status}}", id).succeeded());
            var removing = docker.start("rm", "-f", id);
            Engine.become(Duration.ofMillis(20L * round), () -> false);
            engine.killShim();
            Engine.become(SOON, () -> !removing.isAlive());
            assertTrue(Engine.become(SOON, () -> docker.run("rm", "-f", id).status() == 0 || docker.run("inspect", id).status() != 0),
                    () -> docker.run("rm", "-f", id) + "\n" + engine.logTail());
            docker.run("inspect", id).endedWith(1);
        }
        assertEquals("", Command.of("sh", "-c", "ls " + engine.exec() + "/containers").run().out().lines()
                .filter(id -> docker.run("inspect", id).status() != 0).reduce("", String::concat));
    }
}
