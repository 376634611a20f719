package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.time.Duration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// `kill -9` of the daemon leaves containers running and logging, and a new daemon finds them.
class DaemonDeathIT {
    private Engine engine;
    private DockerCli docker;

    @BeforeEach void start() {
        engine = Engine.start();
        BusyboxImage.importInto(engine);
        docker = engine.docker();
    }

    @AfterEach void stop() {
        if (engine != null) engine.close();
    }

    private static boolean alive(String pid) {
        return ProcessHandle.of(Long.parseLong(pid)).filter(ProcessHandle::isAlive).isPresent();
    }

    private boolean logHas(DockerCli.RunningContainer container, String text) {
        return docker.run("logs", container.id()).out().contains(text);
    }

    @Test void aContainerRunsAndLogsWhileThereIsNoDaemon() {
        var signal = engine.scratch();
        try (var container = docker.background("--network", "none", "-v", signal + ":/signal", BusyboxImage.NAME, "sh", "-c",
                "echo before; while [ ! -e /signal/go ]; do sleep 0.05; done; echo meanwhile; touch /signal/said; sleep 1000")) {
            var pid = container.inspect("{{.State.Pid}}");
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> logHas(container, "before")));
            engine.killDaemon();
            assertTrue(alive(pid));
            Command.of("touch", signal.resolve("go").toString()).run().succeeded();
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> signal.resolve("said").toFile().exists()));
            engine.startDaemon();
            assertEquals("true " + pid, container.inspect("{{.State.Running}} {{.State.Pid}}"));
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> logHas(container, "before\nmeanwhile\n")));
            assertEquals("inside", container.exec("echo", "inside").succeeded());
            docker.run("stop", "-t", "0", container.id()).succeeded();
            assertTrue(!alive(pid));
            assertEquals("137", container.inspect("{{.State.ExitCode}}"));
        }
    }

    @Test void whatEndedWithoutADaemonEndsWithItsOwnStatus() {
        var signal = engine.scratch();
        try (var container = docker.background("--network", "none", "-v", signal + ":/signal", BusyboxImage.NAME, "sh", "-c",
                "while [ ! -e /signal/go ]; do sleep 0.05; done; echo last words; exit 23")) {
            var pid = container.inspect("{{.State.Pid}}");
            engine.killDaemon();
            Command.of("touch", signal.resolve("go").toString()).run().succeeded();
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> !alive(pid)));
            engine.startDaemon();
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> container.inspect("{{.State.Running}}").equals("false")));
            assertEquals("23", container.inspect("{{.State.ExitCode}}"));
            assertEquals("last words", docker.run("logs", container.id()).succeeded());
        }
    }

    @Test void whoIsFrozenForACommitGoesOnWhenTheDaemonIsKilled() {
        try (var container = docker.background("--network", "none", BusyboxImage.NAME, "sh", "-c",
                "dd if=/dev/urandom of=/big bs=1M count=300 2>/dev/null; echo written; while :; do date +%s%N > /now; sleep 0.05; done")) {
            assertTrue(Engine.become(Duration.ofSeconds(60), () -> logHas(container, "written")));
            var commit = docker.start("commit", container.id(), "half:1");
            assertTrue(Engine.become(Duration.ofSeconds(20), () -> container.inspect("{{.State.Paused}}").equals("true")));
            engine.killDaemon();
            assertTrue(Engine.become(Duration.ofSeconds(15), () -> !commit.isAlive()));
            engine.startDaemon();
            assertEquals("true false", container.inspect("{{.State.Running}} {{.State.Paused}}"));
            var now = container.exec("cat", "/now").succeeded();
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> !container.exec("cat", "/now").succeeded().equals(now)));
            assertEquals("", docker.run("images", "-q", "half").succeeded());
        }
    }

    @Test void whoWasPausedByAUserStaysSoWhenTheDaemonIsKilled() {
        try (var container = docker.background("--network", "none", BusyboxImage.NAME, "sleep", "1000")) {
            docker.run("pause", container.id()).succeeded();
            engine.killDaemon();
            engine.startDaemon();
            assertEquals("true", container.inspect("{{.State.Paused}}"));
            docker.run("unpause", container.id()).succeeded();
        }
    }

    @Test void waitOfANewDaemonGetsTheStatusOfAnOldContainer() {
        var signal = engine.scratch();
        try (var container = docker.background("--network", "none", "-v", signal + ":/signal", BusyboxImage.NAME, "sh", "-c",
                "while [ ! -e /signal/go ]; do sleep 0.05; done; exit 24")) {
            engine.killDaemon();
            engine.startDaemon();
            var waiting = docker.start("wait", container.id());
            Command.of("touch", signal.resolve("go").toString()).run().succeeded();
            assertTrue(Engine.become(Duration.ofSeconds(15), () -> !waiting.isAlive()));
            assertEquals("24", new java.util.Scanner(waiting.getInputStream()).next());
        }
    }

    @Test void imagesAndStoppedContainersAreThereAgain() {
        var id = docker.run("create", "--name", "kept", "--network", "none", BusyboxImage.NAME, "echo", "still here").succeeded();
        docker.run("start", "-a", id).succeeded();
        engine.killDaemon();
        engine.startDaemon();
        assertEquals(id, docker.run("ps", "-aq", "--no-trunc").succeeded());
        assertEquals("still here", docker.run("start", "-a", "kept").succeeded());
        assertEquals(BusyboxImage.NAME, docker.run("images", "--format", "{{.Repository}}:{{.Tag}}").succeeded());
    }

    @Test void aPullThatTheDaemonDidNotSurviveLeavesNothingAndSucceedsLater() {
        try (var _ = Registry.start(engine)) {
            Registry.assumeDebianImages();
            var image = Registry.HOST + "/it/debian:gzip";
            for (int percent : new int[] {5, 40}) {
                var pull = docker.start("pull", image);
                var layers = engine.data().resolve("overlay2");
                assertTrue(Engine.become(Duration.ofSeconds(30), () -> size(layers) > percent * 1_000_000L));
                engine.killDaemon();
                assertTrue(Engine.become(Duration.ofSeconds(10), () -> !pull.isAlive()));
                engine.startDaemon();
                assertEquals(BusyboxImage.NAME, docker.run("images", "-a", "--format", "{{.Repository}}:{{.Tag}}").succeeded());
            }
            docker.run("pull", "-q", image).succeeded();
            assertEquals("ok", docker.run("run", "--rm", "--network", "none", image, "bash", "-c", "dpkg --audit && echo ok").succeeded());
        }
    }

    private static long size(java.nio.file.Path folder) {
        var words = Command.of("du", "-sb", folder.toString()).run().out().split("\\s+");
        return words[0].isEmpty() ? 0 : Long.parseLong(words[0]);
    }

    @Test void aDaemonThatIsAskedToStopStopsAndItsSuccessorStarts() {
        docker.run("run", "--rm", "--network", "none", BusyboxImage.NAME, "true").succeeded();
        engine.stopDaemon();
        engine.startDaemon();
        docker.run("run", "--rm", "--network", "none", BusyboxImage.NAME, "true").succeeded();
    }
}
