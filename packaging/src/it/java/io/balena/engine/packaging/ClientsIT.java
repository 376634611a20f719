package io.balena.engine.packaging;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import java.nio.file.Path;
import java.util.stream.Stream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// Each docker command line on this machine, over the unix socket and over TCP.
@ExtendWith(SharedEngine.class)
class ClientsIT {
    private Engine engine;

    record Client(Path program, boolean tcp) {}

    @BeforeEach void use(Engine shared) {
        engine = shared;
    }

    static Stream<Client> clients() {
        return DockerCli.installed().stream().flatMap(program -> Stream.of(new Client(program, false), new Client(program, true)));
    }

    private DockerCli docker(Client client) {
        return engine.docker(client.program, client.tcp ? "tcp://127.0.0.1:2375" : "unix://" + engine.socket());
    }

    @ParameterizedTest
    @MethodSource("clients")
    void theLifeOfAContainer(Client client) {
        var docker = docker(client);
        assertTrue(docker.run("version").succeeded().contains("Server:"));
        assertTrue(docker.run("info").succeeded().contains("Storage Driver: overlay2"));
        var run = docker.command("run", "--rm", "-i", "--network", "none", BusyboxImage.NAME, "sh", "-c", "cat; echo err >&2; exit 3").run("hello\n").endedWith(3);
        assertEquals("hello\n", run.out());
        assertEquals("err\n", run.err());
        try (var container = docker.background(BusyboxImage.NAME, "sh", "-c", "echo started; exec sleep 1000")) {
            assertTrue(docker.run("ps").succeeded().contains(container.id().substring(0, 12)));
            assertEquals("in", container.exec("echo", "in").succeeded());
            assertEquals("started", docker.run("logs", container.id()).succeeded());
            assertTrue(docker.run("top", container.id()).succeeded().contains("sleep 1000"));
            assertTrue(docker.run("inspect", container.id()).succeeded().contains("\"Running\": true"));
            docker.run("stop", "-t", "0", container.id()).succeeded();
            assertEquals("137", docker.run("wait", container.id()).succeeded());
        }
        assertTrue(docker.run("images").succeeded().contains("busybox"));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void anImageIsPulledAndRemoved(Client client) {
        var docker = docker(client);
        try (var _ = Registry.start(engine)) {
            var pulled = docker.run("pull", Registry.HOST + "/it/small:2").succeeded();
            assertTrue(pulled.contains("Status: Downloaded newer image"), pulled);
            assertEquals("7", docker.run("run", "--rm", "--network", "none", Registry.HOST + "/it/small:2", "cat", "/etc/last-layer").succeeded());
            docker.run("rmi", Registry.HOST + "/it/small:2").succeeded();
        }
    }
}
