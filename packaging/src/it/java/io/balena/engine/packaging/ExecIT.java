package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.time.Duration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

/// `docker exec`, and `attach`: joining what already runs.
@ExtendWith(SharedEngine.class)
class ExecIT {
    private DockerCli docker;
    private DockerCli.RunningContainer container;

    @BeforeEach void use(Engine engine) {
        docker = engine.docker();
        container = docker.background("--network", "none", "-e", "OF=container", "-w", "/tmp", BusyboxImage.NAME, "sleep", "1000");
    }

    @AfterEach void remove() {
        if (container != null) container.close();
    }

    private Outcome exec(String... optionsAndCommand) {
        return docker.command("exec").and(optionsAndCommand).run();
    }

    @Test void aCommandRunsInTheContainersNamespaces() {
        assertEquals("sleep", exec(container.id(), "cat", "/proc/1/comm").succeeded());
        for (var namespace : new String[] {"mnt", "net", "uts", "ipc", "pid"}) {
            assertEquals("same", exec(container.id(), "sh", "-c", "test $(readlink /proc/1/ns/%1$s) = $(readlink /proc/$$/ns/%1$s) && echo same"
                    .formatted(namespace)).succeeded(), namespace);
        }
    }

    @Test void outputsAndStatusComeThrough() {
        var outcome = exec(container.id(), "sh", "-c", "echo o; echo e >&2; exit 9").endedWith(9);
        assertEquals("o\n", outcome.out());
        assertEquals("e\n", outcome.err());
    }

    @Test void inputReachesTheCommand() {
        assertEquals("abc", docker.command("exec", "-i", container.id(), "cat").run("abc").succeeded());
    }

    @Test void environmentDirectoryAndUserAreTheContainersUnlessGiven() {
        assertEquals("container /tmp 0", exec(container.id(), "sh", "-c", "echo $OF $PWD $(id -u)").succeeded());
        assertEquals("exec / 1234", exec("-e", "OF=exec", "-w", "/", "-u", "web", container.id(), "sh", "-c", "echo $OF $PWD $(id -u)").succeeded());
    }

    @Test void aCommandThatCannotRunIs126() {
        var missing = exec(container.id(), "no-such-command").endedWith(126);
        assertTrue((missing.err() + missing.out()).contains("exec: \"no-such-command\": executable file not found in $PATH"), missing.toString());
        exec(container.id(), "/etc/not-executable").endedWith(126);
    }

    @Test void detachedItGoesOnByItself() {
        exec("-d", container.id(), "sh", "-c", "echo done > /tmp/done").succeeded();
        assertTrue(Engine.become(Duration.ofSeconds(10), () -> exec(container.id(), "cat", "/tmp/done").out().equals("done\n")));
    }

    @Test void privilegesAreTheContainersUnlessGiven() {
        assertEquals("00000000a80425fb", exec(container.id(), "sh", "-c", "grep CapEff /proc/self/status | cut -f2").succeeded());
        assumeFalse(Engine.PEER, "runc needs capabilities that this machine may lack");
        var all = exec("--privileged", container.id(), "sh", "-c", "grep CapEff /proc/self/status | cut -f2").succeeded();
        assertTrue(Long.bitCount(Long.parseUnsignedLong(all, 16)) > 30, all);
    }

    @Test void aContainerThatDoesNotRunRefuses() {
        docker.run("stop", "-t", "0", container.id()).succeeded();
        var refused = exec(container.id(), "true").endedWith(1);
        assertTrue(refused.err().matches("(?s)Error response from daemon: [Cc]ontainer " + container.id() + " is not running\\s*"), refused.err());
    }

    @Test void theCommandEndsWithTheContainer() {
        var running = docker.start("exec", container.id(), "sleep", "1000");
        assertTrue(Engine.become(Duration.ofSeconds(10), () -> docker.run("top", container.id()).out().lines().count() == 3));
        docker.run("kill", container.id()).succeeded();
        assertTrue(Engine.become(Duration.ofSeconds(10), () -> !running.isAlive()));
        assertEquals(137, running.exitValue());
    }

    @Test void attachShowsWhatIsPrintedAndSendsWhatIsTyped() throws java.io.IOException {
        try (var cat = docker.background("-i", "--network", "none", BusyboxImage.NAME, "sh", "-c", "read line; echo got $line; exit 3")) {
            var attached = docker.start("attach", cat.id());
            try (var input = attached.outputWriter(); var output = attached.inputReader()) {
                input.write("typed\n");
                input.flush();
                assertEquals("got typed", output.readLine());
                assertTrue(Engine.become(Duration.ofSeconds(10), () -> !attached.isAlive()));
                assertEquals(3, attached.exitValue());
            }
        }
    }

    @Test void manyCommandsLeaveNothingBehind() {
        for (int i = 0; i < 30; i++) exec(container.id(), "true").succeeded();
        assertEquals(2, docker.run("top", container.id()).succeeded().lines().count(), "the heading and sleep");
    }
}
