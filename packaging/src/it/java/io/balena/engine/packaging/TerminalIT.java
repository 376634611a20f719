package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// `docker run -it` and `exec -it` as a person uses them: in a real terminal, which tmux provides.
@ExtendWith(SharedEngine.class)
class TerminalIT {
    private Engine engine;
    private Tmux tmux;

    @BeforeEach void use(Engine shared) {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/tmux")), "needs tmux");
        engine = shared;
        tmux = new Tmux(shared.scratch().resolve("tmux"));
    }

    @AfterEach void close() {
        if (tmux != null) tmux.close();
    }

    /// One terminal of 100 × 30 characters.
    private record Tmux(Path socket) implements AutoCloseable {
        Outcome tmux(String... words) {
            return Command.of("tmux", "-S", socket.toString()).and(words).with("LC_ALL", "C.UTF-8").run();
        }

        void run(Command command) {
            tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", String.join(" ", command.words()) + "; echo status $?; sleep 1000").succeeded();
        }

        void type(String keys) {
            tmux("send-keys", "-l", keys).succeeded();
        }

        /// For what takes effect a moment later, such as the size of a terminal: again until it is so.
        void typeUntil(String keys, String shown) {
            assertTrue(Engine.become(Duration.ofSeconds(20), () -> {
                type(keys);
                return Engine.become(Duration.ofMillis(700), () -> screen().contains(shown));
            }), () -> "not on the screen: " + shown + "\n" + screen());
        }

        void key(String name) {
            tmux("send-keys", name).succeeded();
        }

        String screen() {
            return tmux("capture-pane", "-p").out().stripTrailing();
        }

        void shows(String text) {
            assertTrue(Engine.become(Duration.ofSeconds(20), () -> screen().contains(text)), () -> "not on the screen: " + text + "\n" + screen());
        }

        @Override public void close() {
            tmux("kill-server");
        }
    }

    private void startShell(DockerCli docker, String... more) {
        tmux.run(docker.command("run", "--rm", "-it", "--network", "none").and(more).and("-e", "PS1=ready:", BusyboxImage.NAME, "sh"));
        tmux.shows("ready:");
    }

    @Test void aShellAnswersAndItsStatusComesThrough() {
        startShell(engine.docker());
        tmux.type("echo $((6 * 7)); tty\n");
        tmux.shows("42");
        tmux.shows("/dev/pts/0");
        tmux.type("exit 5\n");
        tmux.shows("status 5");
    }

    @Test void theTerminalsSizeIsOursAndFollowsIt() {
        startShell(engine.docker());
        tmux.typeUntil("stty size\n", "30 100");
        tmux.tmux("resize-window", "-x", "77", "-y", "22").succeeded();
        tmux.typeUntil("stty size\n", "22 77");
    }

    @Test void controlCInterruptsTheCommandAndNotTheContainer() {
        var docker = engine.docker();
        startShell(docker, "--name", "interrupted");
        tmux.type("sleep 1000\n");
        assertTrue(Engine.become(Duration.ofSeconds(10), () -> docker.run("top", "interrupted").out().contains("sleep 1000")));
        tmux.key("C-c");
        tmux.type("echo still $((40 + 2))\n");
        tmux.shows("still 42");
    }

    @Test void detachingLeavesTheContainerRunningAndAttachFindsItAgain() {
        var docker = engine.docker();
        startShell(docker, "--name", "detachable");
        try {
            tmux.type("echo first $((1 + 1))\n");
            tmux.shows("first 2");
            tmux.key("C-p");
            tmux.key("C-q");
            tmux.shows("status 0");
            assertEquals("true", docker.run("inspect", "-f", "{{.State.Running}}", "detachable").succeeded());
            tmux.close();
            tmux = new Tmux(engine.scratch().resolve("tmux"));
            tmux.run(docker.command("attach", "detachable"));
            tmux.typeUntil("echo again $((2 + 2))\n", "again 4");
        } finally {
            docker.run("rm", "-f", "detachable");
        }
    }

    @Test void execOpensAnotherTerminal() {
        var docker = engine.docker();
        try (var container = docker.background("--network", "none", BusyboxImage.NAME, "sleep", "1000")) {
            tmux.run(docker.command("exec", "-it", "-e", "PS1=inside:", container.id(), "sh"));
            tmux.shows("inside:");
            tmux.typeUntil("stty size\n", "30 100");
            tmux.type("exit 7\n");
            tmux.shows("status 7");
        }
    }

    @Test void ourOwnCommandLineDoesAllThatToo() {
        assumeTrue(Files.isExecutable(engine.balena().program()), "needs ./build");
        startShell(engine.balena());
        tmux.typeUntil("stty size\n", "30 100");
        tmux.tmux("resize-window", "-x", "66", "-y", "20").succeeded();
        tmux.typeUntil("stty size\n", "20 66");
        tmux.type("exit 9\n");
        tmux.shows("status 9");
    }

    @Test void aPullDrawsItsProgressInPlace() {
        try (var _ = Registry.start(engine)) {
            tmux.run(engine.docker().command("pull", Registry.HOST + "/it/small:1"));
            tmux.shows("Status: Downloaded newer image");
            assertEquals(6, tmux.screen().lines().filter(l -> l.matches("[0-9a-f]{12}: Pull complete.*")).count(), tmux::screen);
        } finally {
            engine.docker().run("rmi", "-f", Registry.HOST + "/it/small:1");
        }
    }
}
