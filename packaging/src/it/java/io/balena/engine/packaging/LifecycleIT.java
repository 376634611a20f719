package io.balena.engine.packaging;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.time.Duration;
import java.time.Instant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// ps, stop, kill, start, restart, wait, rm, inspect, top, version, info, events.
@ExtendWith(SharedEngine.class)
class LifecycleIT {
    private Engine engine;
    private DockerCli docker;

    @BeforeEach void use(Engine shared) {
        engine = shared;
        docker = shared.docker();
    }

    private DockerCli.RunningContainer background(String... optionsAndCommand) {
        return docker.background(java.util.stream.Stream.concat(java.util.stream.Stream.of("--network", "none"),
                java.util.Arrays.stream(optionsAndCommand)).toArray(String[]::new));
    }

    @Test void aCreatedContainerRunsOnlyOnceStarted() {
        var id = docker.run("create", "--network", "none", BusyboxImage.NAME, "echo", "ran").succeeded();
        assertEquals("created", docker.run("inspect", "-f", "{{.State.Status}}", id).succeeded());
        assertEquals("ran", docker.run("start", "-a", id).succeeded());
        assertEquals("exited 0", docker.run("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", id).succeeded());
        assertEquals("ran", docker.run("start", "-a", id).succeeded());
        assertEquals("ran\nran", docker.run("logs", id).succeeded());
        docker.run("rm", id).succeeded();
    }

    @Test void psShowsWhatRunsAndWithAWhatEnded() {
        try (var container = background("--name", "listed", BusyboxImage.NAME, "sleep", "1000")) {
            var line = docker.run("ps", "--no-trunc", "--filter", "name=listed", "--format",
                    "{{.ID}}|{{.Image}}|{{.Command}}|{{.Status}}|{{.Names}}").succeeded();
            assertTrue(line.matches(container.id() + "\\|busybox:it\\|\"sleep 1000\"\\|Up (Less than a second|\\d+ seconds?)\\|listed"), line);
            docker.run("stop", "-t", "0", container.id()).succeeded();
            assertEquals("", docker.run("ps", "-q", "--filter", "name=listed").succeeded());
            var ended = docker.run("ps", "-a", "--filter", "name=listed", "--format", "{{.Status}}").succeeded();
            assertTrue(ended.matches("Exited \\(137\\) (Less than a second|\\d+ seconds?) ago"), ended);
        }
    }

    @Test void stopAsksPolitelyFirst() {
        try (var container = background(BusyboxImage.NAME, "sh", "-c", "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.1; done")) {
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> docker.run("logs", container.id()).out().contains("ready")));
            docker.run("stop", container.id()).succeeded();
            assertEquals("5", container.inspect("{{.State.ExitCode}}"));
            assertEquals("ready\nasked", docker.run("logs", container.id()).succeeded());
        }
    }

    @Test void stopKillsAfterTheTimeGiven() {
        try (var container = background(BusyboxImage.NAME, "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")) {
            var begin = Instant.now();
            docker.run("stop", "-t", "1", container.id()).succeeded();
            var took = Duration.between(begin, Instant.now());
            assertTrue(took.toMillis() >= 950 && took.toSeconds() < 8, took::toString);
            assertEquals("137", container.inspect("{{.State.ExitCode}}"));
        }
    }

    @Test void theStopSignalIsTheContainersOwn() {
        try (var container = background("--stop-signal", "USR1", BusyboxImage.NAME, "sh", "-c", "trap 'exit 11' USR1; echo ready; while :; do sleep 0.1; done")) {
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> docker.run("logs", container.id()).out().contains("ready")));
            docker.run("stop", container.id()).succeeded();
            assertEquals("11", container.inspect("{{.State.ExitCode}}"));
        }
    }

    @Test void killSendsTheSignalAsked() {
        try (var container = background(BusyboxImage.NAME, "sh", "-c", "trap 'echo hup' HUP; echo ready; while :; do sleep 0.1; done")) {
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> docker.run("logs", container.id()).out().contains("ready")));
            docker.run("kill", "-s", "HUP", container.id()).succeeded();
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> docker.run("logs", container.id()).out().contains("hup")));
            assertEquals("true", container.inspect("{{.State.Running}}"));
            docker.run("kill", "-s", "NOSUCH", container.id()).endedWith(1);
            docker.run("kill", container.id()).succeeded();
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> container.inspect("{{.State.Running}}").equals("false")));
            var again = docker.run("kill", container.id()).endedWith(1);
            assertTrue(again.err().contains("is not running"), again.err());
        }
    }

    @Test void restartGivesANewProcessInTheSameFiles() {
        try (var container = background(BusyboxImage.NAME, "sh", "-c", "echo x >> /count; wc -l < /count; exec sleep 1000")) {
            var first = container.inspect("{{.State.Pid}}");
            docker.run("restart", "-t", "0", container.id()).succeeded();
            assertTrue(!first.equals(container.inspect("{{.State.Pid}}")));
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> docker.run("logs", container.id()).out().equals("1\n2\n")));
        }
    }

    @Test void waitAnswersForEachWhenItEnds() {
        try (var one = background(BusyboxImage.NAME, "sh", "-c", "sleep 1; exit 4"); var two = background(BusyboxImage.NAME, "sh", "-c", "exit 6")) {
            assertEquals("4\n6", docker.run("wait", one.id(), two.id()).succeeded());
        }
    }

    @Test void whatAContainerLeavesBehindInTheHostsPidNamespaceEndsWithIt() {
        docker.run("run", "--rm", "--network", "none", "--pid", "host", BusyboxImage.NAME, "sh", "-c", "sleep 98765 & exit 4").endedWith(4);
        assertTrue(ProcessHandle.allProcesses().noneMatch(process -> process.info().arguments()
                .map(arguments -> java.util.Arrays.asList(arguments).contains("98765")).orElse(false)));
    }

    @Test void aRunningContainerIsRemovedOnlyByForce() {
        try (var container = background(BusyboxImage.NAME, "sleep", "1000")) {
            var refused = docker.run("rm", container.id()).endedWith(1);
            assertTrue(refused.err().matches("(?s).*[Yy]ou cannot remove a running container " + container.id() + ".*|(?s).*cannot remove container .*: container is running.*"), refused.err());
            docker.run("rm", "-f", container.id()).succeeded();
            docker.run("inspect", container.id()).endedWith(1);
        }
    }

    @Test void aContainerIsFoundByNameAndByTheBeginningOfItsId() {
        try (var container = background("--name", "found", BusyboxImage.NAME, "sleep", "1000")) {
            for (var name : new String[] {"found", container.id(), container.id().substring(0, 12), container.id().substring(0, 4)}) {
                assertEquals(container.id(), docker.run("inspect", "-f", "{{.Id}}", name).succeeded());
            }
            docker.run("rename", "found", "renamed").succeeded();
            assertEquals("/renamed", container.inspect("{{.Name}}"));
            docker.run("inspect", "found").endedWith(1);
        }
    }

    @Test void inspectTellsWhatWasAskedAndWhatBecameOfIt() {
        try (var container = background("--name", "told", "-e", "A=b", "-l", "k=v", "-w", "/tmp", "-m", "64m", BusyboxImage.NAME, "sleep", "1000")) {
            assertEquals("/told [sleep 1000] v /tmp 67108864 sleep running true",
                    container.inspect("{{.Name}} {{.Config.Cmd}} {{.Config.Labels.k}} {{.Config.WorkingDir}} {{.HostConfig.Memory}} {{.Path}} {{.State.Status}} {{.State.Running}}"));
            assertTrue(container.inspect("{{.Image}}").matches("sha256:[0-9a-f]{64}"));
            assertTrue(container.inspect("{{json .Config.Env}}").contains("\"A=b\""));
            assertTrue(container.inspect("{{.State.StartedAt}}").matches("\\d{4}-\\d\\d-\\d\\dT.*Z"));
            var pid = container.inspect("{{.State.Pid}}");
            assertTrue(Engine.commandLine(ProcessHandle.of(Long.parseLong(pid)).orElseThrow()).startsWith("sleep 1000"));
        }
    }

    @Test void topShowsTheProcessesByTheirPidsOutside() {
        try (var container = background(BusyboxImage.NAME, "sh", "-c", "sleep 1000 & wait")) {
            var lines = docker.run("top", container.id()).succeeded().lines().toList();
            assertTrue(lines.getFirst().matches("UID +PID +PPID +C +STIME +TTY +TIME +CMD"), lines::toString);
            assertEquals(3, lines.size(), lines::toString);
            assertTrue(lines.stream().anyMatch(l -> l.matches("root +" + container.inspect("{{.State.Pid}}") + " .*sh -c sleep 1000 & wait")), lines::toString);
            assertEquals("PID", docker.run("top", container.id(), "-o", "pid").succeeded().lines().findFirst().orElseThrow().strip());
        }
    }

    @Test void pausedItStandsStill() {
        try (var container = background(BusyboxImage.NAME, "sleep", "1000")) {
            docker.run("pause", container.id()).succeeded();
            assertEquals("paused", container.inspect("{{.State.Status}}"));
            var refused = docker.run("exec", container.id(), "true").endedWith(1);
            assertTrue(refused.err().contains("is paused, unpause the container before exec"), refused.err());
            docker.run("unpause", container.id()).succeeded();
            assertEquals("running", container.inspect("{{.State.Status}}"));
            docker.run("exec", container.id(), "true").succeeded();
        }
    }

    @Test void eventsTellTheLifeOfAContainer() {
        var begin = Instant.now();
        docker.run("run", "--rm", "--name", "eventful", "--network", "none", BusyboxImage.NAME, "sh", "-c", "exit 3").endedWith(3);
        assertTrue(Engine.become(Duration.ofSeconds(5), () -> docker.run("ps", "-aq", "--filter", "name=eventful").succeeded().isEmpty()));
        var actions = docker.run("events", "--since", seconds(begin), "--until", seconds(Instant.now()),
                "--filter", "container=eventful", "--format", "{{.Action}}{{if eq .Action \"die\"}} {{.Actor.Attributes.exitCode}}{{end}}").succeeded().lines().toList();
        assertEquals(java.util.List.of("create", "attach", "start", "die 3", "destroy"), actions.stream().filter(a -> !a.startsWith("resize")).toList());
    }

    private static String seconds(Instant time) {
        return "%d.%09d".formatted(time.getEpochSecond(), time.getNano());
    }

    @Test void eventsArriveWhileTheyHappen() throws java.io.IOException {
        var listener = docker.start("events", "--filter", "type=container", "--filter", "event=start", "--format", "{{.Actor.Attributes.name}}");
        try (var lines = listener.inputReader()) {
            // The listener is there once the engine tells it of a first container; earlier ones may have been missed.
            var seen = new java.util.concurrent.CompletableFuture<String>();
            Thread.ofVirtual().start(() -> {
                try {
                    seen.complete(lines.readLine());
                } catch (java.io.IOException e) {
                    seen.completeExceptionally(e);
                }
            });
            assertTrue(Engine.become(Duration.ofSeconds(20), () -> {
                docker.run("run", "--rm", "--name", "heard", "--network", "none", BusyboxImage.NAME, "true");
                return seen.isDone();
            }));
            assertEquals("heard", seen.join());
        } finally {
            listener.destroyForcibly();
        }
    }

    @Test void versionInfoAndPing() {
        assertTrue(docker.run("version", "--format", "{{.Server.APIVersion}} {{.Server.Os}}").succeeded().matches("1\\.\\d\\d linux"));
        assertEquals("overlay2 " + engine.data(), docker.run("info", "--format", "{{.Driver}} {{.DockerRootDir}}").succeeded());
        var ping = Command.of("curl", "-fsi", "--unix-socket", engine.socket().toString(), "http://docker/_ping").run().succeeded();
        assertTrue(ping.startsWith("HTTP/1.1 200") && ping.endsWith("OK") && ping.toLowerCase(java.util.Locale.ROOT).contains("api-version: 1."), ping);
        if (!Engine.PEER) {
            assertTrue(Command.of("curl", "-fs", "--unix-socket", engine.socket().toString(), "http://docker/version").run().succeeded()
                    .contains("\"Engine\":\"balena-engine\""));
        }
    }
}
