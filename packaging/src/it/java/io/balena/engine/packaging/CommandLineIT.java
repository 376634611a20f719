package io.balena.engine.packaging;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// Our own command line prints and answers as docker's does.
@ExtendWith(SharedEngine.class)
class CommandLineIT {
    private Engine engine;
    private DockerCli balena;

    @BeforeEach void use(Engine shared) {
        engine = shared;
        balena = shared.balena();
        assumeTrue(Files.isExecutable(balena.program()), "needs ./build");
    }

    @Test void runGivesOutputsInputAndStatus() {
        var outcome = balena.command("run", "--rm", "-i", "--network=none", BusyboxImage.NAME, "sh", "-c", "cat; echo err >&2; exit 3").run("hello\n").endedWith(3);
        assertEquals("hello\n", outcome.out());
        assertEquals("err\n", outcome.err());
        balena.run("run", "--rm", "--network", "none", BusyboxImage.NAME, "no-such-command").endedWith(127);
        balena.run("run", "--rm", "--network", "none", BusyboxImage.NAME, "/etc/not-executable").endedWith(126);
        balena.run("run", "--no-such-flag", BusyboxImage.NAME).endedWith(125);
    }

    @Test void listsLookLikeDockers() {
        var docker = engine.docker();
        try (var container = docker.background("--network", "none", "--name", "listed-too", "-l", "a=b", BusyboxImage.NAME, "sleep", "1000")) {
            assertEquals(withoutTimes(docker.run("ps").succeeded()), withoutTimes(balena.run("ps").succeeded()));
            assertEquals(docker.run("ps", "-aq", "--no-trunc").succeeded(), balena.run("ps", "-aq", "--no-trunc").succeeded());
            assertEquals(withoutTimes(docker.run("images").succeeded()), withoutTimes(balena.run("images").succeeded()));
            assertEquals(docker.run("inspect", "-f", "{{.Id}}", "listed-too").succeeded(), container.id());
            assertTrue(balena.run("inspect", "listed-too").succeeded().contains("\"Id\": \"" + container.id() + "\""));
            assertEquals("Error: No such object: nothing", balena.run("inspect", "nothing").endedWith(1).err().strip());
        }
    }

    private static String withoutTimes(String table) {
        return table.replaceAll("\\d+ (seconds?|minutes?) ago|Less than a second ago|About a minute ago", "T ago")
                .replaceAll("Up (\\d+ (seconds?|minutes?)|Less than a second|About a minute)", "Up T").replaceAll(" +", " ");
    }

    @Test void theLifeOfAContainer() {
        var id = balena.run("create", "--network", "none", "-i", "--name", "ours", BusyboxImage.NAME, "sh", "-c", "read x; echo got $x; exit 4").succeeded();
        assertEquals("got y", balena.command("start", "-ai", "ours").run("y\n").endedWith(4).out().strip());
        assertEquals("got y", balena.run("logs", "ours").succeeded());
        assertEquals("ours", balena.run("rm", "ours").succeeded());
        assertTrue(id.matches("[0-9a-f]{64}"));
        try (var container = balena.background("--network", "none", BusyboxImage.NAME, "sleep", "1000")) {
            assertEquals("in", balena.command("exec", "-i", container.id(), "cat").run("in").succeeded());
            balena.run("exec", container.id(), "sh", "-c", "exit 8").endedWith(8);
            assertTrue(balena.run("top", container.id()).succeeded().contains("sleep 1000"));
            assertEquals(container.id(), balena.run("pause", container.id()).succeeded());
            assertEquals(container.id(), balena.run("unpause", container.id()).succeeded());
            assertEquals(container.id(), balena.run("stop", "-t", "0", container.id()).succeeded());
            assertEquals("137", balena.run("wait", container.id()).succeeded());
        }
    }

    @Test void aPullShowsPlainLinesWhereThereIsNoTerminal() {
        try (var _ = Registry.start(engine)) {
            var lines = balena.run("pull", Registry.HOST + "/it/small:1").succeeded().lines().toList();
            assertEquals("1: Pulling from it/small", lines.getFirst());
            assertEquals(Registry.HOST + "/it/small:1", lines.getLast());
            assertEquals(6, lines.stream().filter(l -> l.matches("[0-9a-f]{12}: Pull complete")).count(), lines::toString);
            balena.run("rmi", Registry.HOST + "/it/small:1").succeeded();
        }
    }

    @Test void signalsSentToUsReachTheContainer() {
        var process = balena.start("run", "--rm", "--name", "signalled", "--network", "none", BusyboxImage.NAME,
                "sh", "-c", "trap 'exit 12' TERM; while :; do sleep 0.1; done");
        assertTrue(Engine.become(Duration.ofSeconds(20), () -> engine.docker().run("ps", "-q", "--filter", "name=signalled").out().length() > 0));
        assertTrue(Engine.become(Duration.ofSeconds(20), () -> {
            process.destroy();
            return !process.isAlive();
        }));
        assertEquals(12, process.exitValue());
    }

    @Test void withoutAnEngineItSaysWhere() {
        var outcome = new DockerCli(balena.program(), "unix:///nowhere.sock", null).run("ps").endedWith(1);
        assertEquals("Cannot connect to the Docker daemon at unix:///nowhere.sock. Is the docker daemon running?", outcome.err().strip());
    }

    @Test void itIsCalledByEitherNameAndNoOther() throws java.io.IOException {
        var bin = Engine.DIST.resolve("bin");
        assertTrue(Command.of(bin.resolve("balena").toString(), "--version").run().succeeded().startsWith("balenaEngine version "));
        var link = engine.scratch().resolve("balena-engine");
        Files.createSymbolicLink(link, bin.resolve("balena-engine").toAbsolutePath());
        assertTrue(Command.of(link.toString(), "--version").run().succeeded().startsWith("balenaEngine version "));
        var wrong = engine.scratch().resolve("something-else");
        Files.createSymbolicLink(wrong, bin.resolve("balena-engine").toAbsolutePath());
        assertEquals("error: unknown command: something-else", Command.of(wrong.toString()).run().endedWith(1).err().strip());
    }

    @Test void nothingIsUnpackedToTmp() {
        var before = Path.of("/tmp").toFile().list((_, name) -> name.startsWith("jna") || name.startsWith("libnetty") || name.startsWith("libzstd") || name.startsWith("hsperf")).length;
        balena.run("version").succeeded();
        assertEquals(before, Path.of("/tmp").toFile().list((_, name) -> name.startsWith("jna") || name.startsWith("libnetty") || name.startsWith("libzstd") || name.startsWith("hsperf")).length);
    }
}
