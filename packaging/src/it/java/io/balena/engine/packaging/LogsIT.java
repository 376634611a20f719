package io.balena.engine.packaging;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// `docker logs` of json-file.
@ExtendWith(SharedEngine.class)
class LogsIT {
    private Engine engine;
    private DockerCli docker;

    @BeforeEach void use(Engine shared) {
        engine = shared;
        docker = shared.docker();
    }

    private DockerCli.RunningContainer ran(String script) {
        var container = docker.background("--network", "none", BusyboxImage.NAME, "sh", "-c", script);
        docker.run("wait", container.id()).succeeded();
        return container;
    }

    @Test void logsKeepTheTwoOutputsApart() {
        try (var container = ran("echo out; echo err >&2")) {
            var logs = docker.run("logs", container.id());
            assertEquals("out\n", logs.out());
            assertEquals("err\n", logs.err());
        }
    }

    @Test void tailShowsTheLastLines() {
        try (var container = ran("seq 100")) {
            assertEquals("98\n99\n100", docker.run("logs", "--tail", "3", container.id()).succeeded());
            assertEquals("", docker.run("logs", "--tail", "0", container.id()).succeeded());
            assertEquals(100, docker.run("logs", "--tail", "1000", container.id()).succeeded().lines().count());
            assertEquals(100, docker.run("logs", "--tail", "all", container.id()).succeeded().lines().count());
        }
    }

    @Test void timestampsHaveNanoseconds() {
        try (var container = ran("echo x")) {
            var line = docker.run("logs", "-t", container.id()).succeeded();
            assertTrue(line.matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{9}Z x"), line);
        }
    }

    @Test void sinceAndUntilCutTheLog() {
        try (var container = ran("echo early; sleep 2; echo late")) {
            var times = docker.run("logs", "-t", container.id()).succeeded().lines().map(l -> l.split(" ")[0]).toList();
            assertEquals("late", docker.run("logs", "--since", times.get(1), container.id()).succeeded());
            assertEquals("early", docker.run("logs", "--until", times.get(0), container.id()).succeeded());
            assertEquals("early\nlate", docker.run("logs", "--since", "1h", container.id()).succeeded());
        }
    }

    @Test void followingEndsWithTheContainer() {
        try (var container = docker.background("--network", "none", BusyboxImage.NAME, "sh", "-c", "echo a; sleep 1; echo b; sleep 1; echo c")) {
            assertEquals("a\nb\nc", docker.run("logs", "-f", container.id()).succeeded());
        }
    }

    @Test void followingShowsEachLineWhenItIsWritten() throws IOException {
        try (var container = docker.background("-i", "--network", "none", BusyboxImage.NAME, "sh", "-c", "while read x; do echo got $x; done")) {
            var follower = docker.start("logs", "-f", container.id());
            var attached = docker.start("attach", container.id());
            try (var input = attached.outputWriter(); var lines = follower.inputReader()) {
                for (int i = 0; i < 5; i++) {
                    input.write("line " + i + "\n");
                    input.flush();
                    assertEquals("got line " + i, lines.readLine());
                }
            } finally {
                attached.destroyForcibly();
                follower.destroyForcibly();
            }
        }
    }

    @Test void aLineWithoutAnEndAndOneLongerThanAnyBufferAreWhole() {
        try (var container = ran("head -c 100000 /dev/zero | tr '\\0' a; echo; printf 'no end'")) {
            var logs = docker.run("logs", container.id()).endedWith(0).out();
            assertEquals("a".repeat(100_000) + "\nno end", logs);
        }
    }

    @Test void anythingButTextSurvives() {
        try (var container = ran("printf 'tab\\there \"quoted\" back\\\\slash <&> é中 \\001\\n'")) {
            assertEquals("tab\there \"quoted\" back\\slash <&> é中 \001\n", docker.run("logs", container.id()).endedWith(0).out());
        }
    }

    @Test void theLogIsDockersJsonFile() throws IOException {
        try (var container = ran("echo hello; echo oops >&2")) {
            var path = Path.of(container.inspect("{{.LogPath}}"));
            assertEquals(engine.data().resolve("containers/" + container.id() + "/" + container.id() + "-json.log"), path);
            var lines = Files.readAllLines(path);
            assertTrue(lines.contains(lines.stream().filter(l -> l.matches("\\{\"log\":\"hello\\\\n\",\"stream\":\"stdout\",\"time\":\"[^\"]+Z\"}")).findFirst().orElse("")), lines::toString);
            assertEquals("json-file", container.inspect("{{.HostConfig.LogConfig.Type}}"));
        }
    }

    @Test void logsOfAnUnknownContainerAreAnError() {
        assertEquals("Error response from daemon: No such container: nothing", docker.run("logs", "nothing").endedWith(1).err().strip());
    }

    /// Attached at once, each sees everything from then on; stdin of one reaches the program, and ends it.
    @Test void severalAttachedSeeTheSameAndAFollowerToo() throws Exception {
        try (var container = docker.background("-i", "--network", "none", BusyboxImage.NAME, "sh", "-c", "while read x; do echo got $x; done")) {
            var first = docker.start("attach", container.id());
            var second = docker.start("attach", "--no-stdin", container.id());
            var follower = docker.start("logs", "-f", container.id());
            try (var input = first.outputWriter(); var a = first.inputReader(); var b = second.inputReader(); var c = follower.inputReader()) {
                // Whoever attaches later misses what was said before: ask until both answer.
                String seen = null;
                for (int i = 0; seen == null; i++) {
                    input.write("ping " + i + "\n");
                    input.flush();
                    assertEquals("got ping " + i, a.readLine());
                    if (Engine.become(java.time.Duration.ofSeconds(1), () -> ready(b))) seen = b.readLine();
                }
                input.write("last\n");
                input.flush();
                for (String line = seen; !line.equals("got last"); ) line = b.readLine();
                for (String line = ""; !line.equals("got last"); ) line = c.readLine();
                for (String line = ""; !line.equals("got last"); ) line = a.readLine();
            } finally {
                first.destroyForcibly();
                second.destroyForcibly();
                follower.destroyForcibly();
            }
        }
    }

    private static boolean ready(java.io.BufferedReader reader) {
        try {
            return reader.ready();
        } catch (IOException e) {
            return false;
        }
    }

    @Test void whatIsWrittenWhileLogsAreRotatedIsFollowedToTheEnd() {
        var id = docker.run("run", "-d", "--network", "none", "--log-opt", "max-size=100k", "--log-opt", "max-file=200", BusyboxImage.NAME,
                "sh", "-c", "seq 50000").succeeded();
        assertEquals(50_000, docker.run("logs", "-f", id).succeeded().lines().count());
        assertEquals(50_000, docker.run("logs", id).succeeded().lines().count());
        docker.run("rm", id).succeeded();
    }
}
