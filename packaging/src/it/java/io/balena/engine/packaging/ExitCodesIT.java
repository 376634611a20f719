package io.balena.engine.packaging;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// Exit codes come through: the command's own, and those that say why there was no command.
@ExtendWith(SharedEngine.class)
class ExitCodesIT {
    private DockerCli docker;

    @BeforeEach void use(Engine engine) {
        docker = engine.docker();
    }

    private Outcome run(String... command) {
        return docker.command("run", "--rm", "--network", "none", BusyboxImage.NAME).and(command).run();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 42, 125, 126, 127, 137, 255})
    void theCommandsOwnStatusComesThrough(int status) {
        run("sh", "-c", "exit " + status).endedWith(status);
    }

    @Test void aCommandThatDoesNotExistIs127() {
        var outcome = run("no-such-command").endedWith(127);
        assertTrue(outcome.err().contains("exec: \"no-such-command\": executable file not found in $PATH"), outcome.err());
    }

    @Test void aPathThatDoesNotExistIs127() {
        var outcome = run("/no/such/command").endedWith(127);
        assertTrue(outcome.err().contains("no such file or directory"), outcome.err());
    }

    @Test void aFileThatCannotBeExecutedIs126() {
        var outcome = run("/etc/not-executable").endedWith(126);
        assertTrue(outcome.err().contains("permission denied"), outcome.err());
    }

    @Test void aFailureOfTheEngineIs125() {
        docker.run("run", "--rm", "--no-such-flag", BusyboxImage.NAME).endedWith(125);
        docker.run("run", "--rm", "--network", "no-such-network", BusyboxImage.NAME, "true").endedWith(125);
    }

    @Test void aContainerThatIsKilledIs128AndTheSignal() {
        try (var container = docker.background("--network", "none", BusyboxImage.NAME, "sleep", "1000")) {
            docker.run("kill", container.id()).succeeded();
            assertEquals("137", docker.run("wait", container.id()).succeeded());
            assertEquals("137", container.inspect("{{.State.ExitCode}}"));
        }
    }

    @Test void aContainerThatCouldNotStartSaysSoWhenInspected() {
        var id = docker.run("create", "--network", "none", BusyboxImage.NAME, "no-such-command").succeeded();
        docker.run("start", id).endedWith(1);
        assertEquals("127 created", docker.run("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}", id).succeeded());
        assertTrue(docker.run("inspect", "-f", "{{.State.Error}}", id).succeeded().contains("no-such-command"));
        docker.run("rm", id).succeeded();
    }

    @Test void aContainerThatCouldNotStartAndIsToBeRemovedIsRemoved() {
        docker.run("run", "--rm", "--name", "never", "--network", "none", BusyboxImage.NAME, "no-such-command").endedWith(127);
        assertTrue(Engine.become(java.time.Duration.ofSeconds(5), () -> docker.run("ps", "-aq", "--filter", "name=never").succeeded().isEmpty()));
    }
}
