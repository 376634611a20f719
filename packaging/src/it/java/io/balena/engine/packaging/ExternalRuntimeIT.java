package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

/// Containers made by other OCI runtimes are supervised like the engine's own.
class ExternalRuntimeIT {
    private static final Duration SOON = Duration.ofSeconds(30);

    @TempDir static Path folder;
    private static Engine engine;
    private static DockerCli docker;

    @BeforeAll static void start() {
        assumeFalse(Engine.PEER, "dockerd's way with other runtimes is not the question");
        engine = Engine.start(flags());
        BusyboxImage.importInto(engine);
        docker = engine.docker();
    }

    private static String[] flags() {
        List<String> flags = new ArrayList<>();
        for (OtherRuntime runtime : OtherRuntime.values()) {
            flags.addAll(List.of("--add-runtime", runtime.runtimeName() + "=" + runtime.path(folder)));
        }
        flags.addAll(List.of("--add-runtime", "vanishing=" + folder.resolve("vanishing")));
        return flags.toArray(String[]::new);
    }

    @AfterAll static void stop() {
        if (engine != null) engine.close();
    }

    private static Command run(OtherRuntime runtime, String... words) {
        runtime.assumeInstalled();
        return docker.command("run", "--rm", "--network", "none").and(runtime.option()).and(words);
    }

    private static DockerCli.RunningContainer background(OtherRuntime runtime, String... words) {
        runtime.assumeInstalled();
        var all = new ArrayList<>(List.of("--network", "none"));
        all.addAll(List.of(runtime.option()));
        all.addAll(List.of(words));
        return docker.background(all.toArray(String[]::new));
    }

    private static boolean logHas(DockerCli.RunningContainer container, String text) {
        return docker.run("logs", container.id()).out().contains(text);
    }

    /// The last acknowledgement of an exit is on its way when clients hear of it.
    @AfterEach void nothingIsLeft() {
        var states = engine.data().resolveSibling("exec").resolve("containers").toFile();
        assertTrue(Engine.become(SOON, () -> !states.exists() || states.list().length == 0), () -> String.join(" ", states.list()));
    }

    @ParameterizedTest @EnumSource void outputInputAndStatusComeThrough(OtherRuntime runtime) {
        var outcome = run(runtime, "-i", BusyboxImage.NAME, "sh", "-c", "echo out; echo err >&2; cat; exit 17").run("in\n");
        assertEquals("out\nin\n", outcome.endedWith(17).out());
        assertEquals("err\n", outcome.err());
    }

    @ParameterizedTest @EnumSource void itIsTheRuntimeThatMakesTheContainer(OtherRuntime runtime) {
        try (var container = background(runtime, BusyboxImage.NAME, "sleep", "1000")) {
            var root = engine.data().resolveSibling("exec").resolve("runtime-" + runtime.path(folder).getFileName());
            assertTrue(Files.isDirectory(root.resolve(container.id())), () -> "no state below " + root);
            assertEquals(runtime.runtimeName(), container.inspect("{{.HostConfig.Runtime}}"));
        }
    }

    @ParameterizedTest @EnumSource void aTerminalIsTheContainersOwn(OtherRuntime runtime) {
        assertEquals("/dev/pts/0 /dev/console", run(runtime, "-t", BusyboxImage.NAME, "sh", "-c", "echo $(tty) $(ls /dev/console)")
                .run().succeeded().strip());
    }

    @ParameterizedTest @EnumSource void whatIsTypedIntoATerminalArrives(OtherRuntime runtime) {
        // script(1) gives the command line a terminal, as a person has one.
        var words = String.join(" ", run(runtime, "-it", BusyboxImage.NAME, "sh", "-c", "'read x; echo got $x; stty size'").words());
        var outcome = Command.of("script", "-qec", "stty rows 33 cols 44; exec " + words, "/dev/null").run("typed\n");
        assertTrue(outcome.endedWith(0).out().contains("got typed"), outcome::toString);
        assertTrue(outcome.out().contains("33 44"), outcome::toString);
    }

    @ParameterizedTest @EnumSource void execRunsInsideWithItsOwnStreamsStatusAndTerminal(OtherRuntime runtime) {
        try (var container = background(runtime, "--hostname", "inside", BusyboxImage.NAME, "sleep", "1000")) {
            var outcome = docker.command("exec", "-i", container.id(), "sh", "-c", "hostname; cat; echo err >&2; exit 9").run("in\n");
            assertEquals("inside\nin\n", outcome.endedWith(9).out());
            assertEquals("err\n", outcome.err());
            assertEquals("/dev/pts/0", docker.command("exec", "-t", container.id(), "tty").run().succeeded().strip());
            docker.run("exec", "-d", container.id(), "sh", "-c", "echo done > /marker").succeeded();
            assertTrue(Engine.become(SOON, () -> container.exec("cat", "/marker").out().equals("done\n")));
        }
    }

    @ParameterizedTest @EnumSource void aFailedExecDoesNotKeepTheContainerFromEnding(OtherRuntime runtime) {
        try (var container = background(runtime, BusyboxImage.NAME, "sleep", "1000")) {
            var outcome = container.exec("no-such-program");
            assertTrue(outcome.out().contains("OCI runtime exec failed: "), outcome::toString);
            assertTrue(outcome.out().contains("no-such-program"), outcome::toString);
            docker.run("kill", container.id()).succeeded();
            assertEquals("137", docker.run("wait", container.id()).succeeded());
        }
    }

    @ParameterizedTest @EnumSource void aProgramThatIsMissingIsToldInTheRuntimesWords(OtherRuntime runtime) {
        var id = docker.command("create", "--network", "none").and(runtime.option()).and(BusyboxImage.NAME, "no-such-program").run().succeeded();
        var outcome = docker.run("start", id).endedWith(1);
        assertTrue(outcome.err().contains("OCI runtime create failed: "), outcome::toString);
        assertTrue(outcome.err().contains("not found in $PATH"), outcome::toString);
        assertEquals("127", docker.run("inspect", "-f", "{{.State.ExitCode}}", id).succeeded());
        docker.run("rm", id).succeeded();
    }

    @ParameterizedTest @EnumSource void signalsReachTheProgramAndStopWaitsForIt(OtherRuntime runtime) {
        try (var container = background(runtime, BusyboxImage.NAME, "sh", "-c",
                "trap 'echo usr1' USR1; trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done")) {
            assertTrue(Engine.become(SOON, () -> logHas(container, "ready")));
            docker.run("kill", "-s", "USR1", container.id()).succeeded();
            assertTrue(Engine.become(SOON, () -> logHas(container, "usr1")));
            docker.run("stop", "-t", "60", container.id()).succeeded();
            assertEquals("42", container.inspect("{{.State.ExitCode}}"));
            docker.run("start", container.id()).succeeded();
            assertEquals("true", container.inspect("{{.State.Running}}"));
        }
    }

    @ParameterizedTest @EnumSource void aPausedContainerStandsStillAndGoesOn(OtherRuntime runtime) {
        try (var container = background(runtime, BusyboxImage.NAME, "sh", "-c", "while :; do date +%s%N; sleep 0.05; done")) {
            assertTrue(Engine.become(SOON, () -> !docker.run("logs", container.id()).out().isEmpty()));
            docker.run("pause", container.id()).succeeded();
            assertEquals("paused", container.inspect("{{.State.Status}}"));
            docker.run("unpause", container.id()).succeeded();
            var before = docker.run("logs", container.id()).out();
            assertTrue(Engine.become(SOON, () -> docker.run("logs", container.id()).out().length() > before.length()));
            docker.run("pause", container.id()).succeeded();
        }
    }

    @ParameterizedTest @EnumSource void whoRunsOutOfMemoryIsReportedSo(OtherRuntime runtime) {
        try (var container = background(runtime, "--memory", "16m", BusyboxImage.NAME, "sh", "-c",
                "dd if=/dev/zero of=/dev/null bs=64M count=1; echo $?; exec tail /dev/zero")) {
            docker.run("wait", container.id()).succeeded();
            assertEquals("true 137", container.inspect("{{.State.OOMKilled}} {{.State.ExitCode}}"));
        }
    }

    @ParameterizedTest @EnumSource void theNetworkIsThereBeforeTheProgramIs(OtherRuntime runtime) {
        runtime.assumeInstalled();
        assertEquals("eth0", docker.command("run", "--rm").and(runtime.option())
                .and(BusyboxImage.NAME, "sh", "-c", "ls /sys/class/net | grep eth0 && ip route | grep -q default").run().succeeded());
    }

    @ParameterizedTest @EnumSource void itOutlivesTheDaemonAndTheShim(OtherRuntime runtime) {
        var signal = engine.scratch();
        try (var container = background(runtime, "-v", signal + ":/signal", BusyboxImage.NAME, "sh", "-c",
                "echo before; while [ ! -e /signal/go ]; do sleep 0.05; done; echo after; sleep 1000")) {
            var pid = container.inspect("{{.State.Pid}}");
            assertTrue(Engine.become(SOON, () -> logHas(container, "before")));
            engine.killDaemon();
            engine.startDaemon();
            assertEquals("true " + pid, container.inspect("{{.State.Running}} {{.State.Pid}}"));
            engine.killShim();
            Command.of("touch", signal.resolve("go").toString()).run().succeeded();
            assertTrue(Engine.become(SOON, () -> logHas(container, "before\nafter\n")), () -> docker.run("logs", container.id()).toString());
            assertEquals("true " + pid, container.inspect("{{.State.Running}} {{.State.Pid}}"));
            assertEquals("inside", container.exec("echo", "inside").succeeded());
            docker.run("kill", container.id()).succeeded();
            docker.run("wait", container.id()).succeeded();
            assertEquals("false", container.inspect("{{.State.Running}}"));
        }
    }

    @Test void aRuntimeThatIsGoneDoesNotKeepItsContainerFromEnding() throws IOException {
        OtherRuntime.RUNC.assumeInstalled();
        var program = folder.resolve("vanishing");
        Files.createSymbolicLink(program, OtherRuntime.RUNC.path(folder));
        try (var container = docker.background("--network", "none", "--runtime", "vanishing", BusyboxImage.NAME, "sleep", "1000")) {
            Files.delete(program);
            var outcome = container.exec("true");
            assertTrue(outcome.out().contains("fork/exec " + program + ": no such file or directory"), outcome::toString);
            docker.run("kill", container.id()).succeeded();
            assertEquals("137", docker.run("wait", container.id()).succeeded());
            assertTrue(docker.run("start", container.id()).endedWith(1).err().contains("no such file or directory"));
        }
    }

    @Test void anUnknownRuntimeIsRefusedWhenTheContainerIsMade() {
        var outcome = docker.run("create", "--runtime", "nobody", BusyboxImage.NAME, "true").endedWith(1);
        assertTrue(outcome.err().contains("Unknown runtime specified nobody"), outcome::toString);
    }

    @Test void theNamesOfDockersOwnMeanTheEnginesOwn() {
        for (var name : List.of("runc", "io.containerd.runc.v2", "balena-runc", "balena-engine-runc")) {
            assertEquals("hi", docker.run("run", "--rm", "--network", "none", "--runtime", name, BusyboxImage.NAME, "echo", "hi").succeeded());
        }
    }

    @Test void infoListsAllOfThem() {
        var info = engine.get("/info");
        assertEquals("runc", info.get("DefaultRuntime").asText());
        assertEquals("/usr/sbin/runc", info.get("Runtimes").get("debian-runc").get("path").asText());
        assertTrue(info.get("Runtimes").has("runc"));
    }

    @Test void aBareContainerIsStorageAlone() {
        var id = docker.run("create", "--runtime", "bare", "--volume", "/etc", BusyboxImage.NAME, "/bin/sh").succeeded();
        var upper = Path.of(docker.run("inspect", "-f", "{{.GraphDriver.Data.LowerDir}}", id).succeeded());
        assertFalse(upper.toString().contains("-init"), "nothing lies between it and its image");
        var etc = docker.run("inspect", "-f", "{{range .Mounts}}{{.Source}}{{end}}", id).succeeded();
        assertTrue(Files.exists(Path.of(etc, "passwd")), "its volume has the image's files");
        docker.run("start", id).endedWith(1);
        docker.run("rm", "-v", id).succeeded();
    }

    @Test void theDefaultRuntimeMayBeAnother() throws IOException {
        OtherRuntime.RUNC.assumeInstalled();
        var file = Files.writeString(folder.resolve("daemon.json"), """
                {"runtimes": {"other": {"path": "/usr/sbin/runc", "runtimeArgs": ["--debug"]}}, "default-runtime": "other"}""");
        try (var another = Engine.start("--config-file", file.toString(), "--bridge=none")) {
            BusyboxImage.importInto(another);
            assertEquals("other", another.get("/info").get("DefaultRuntime").asText());
            assertEquals("--debug", another.get("/info").get("Runtimes").get("other").get("runtimeArgs").get(0).asText());
            try (var container = another.docker().background("--network", "none", BusyboxImage.NAME, "sleep", "1000")) {
                assertEquals("other", container.inspect("{{.HostConfig.Runtime}}"));
                var state = another.data().resolveSibling("exec").resolve("runtime-runc").resolve(container.id());
                assertTrue(Files.isDirectory(state));
            }
            var left = another.docker().run("create", "--network", "none", BusyboxImage.NAME, "true").succeeded();
            another.stopDaemon();
            Files.writeString(file, "{}");
            another.startDaemon();
            var outcome = another.docker().run("start", left).endedWith(1);
            assertTrue(outcome.err().contains("Unknown runtime specified other"), outcome::toString);
        }
    }
}
