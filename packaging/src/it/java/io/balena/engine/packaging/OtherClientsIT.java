package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Clients that are not the docker command line, each with a program of the kind that people write with it.
///
/// The programs check what they are told, and say `done`. They do so with dockerd 20.10, too.
@ExtendWith(SharedEngine.class)
class OtherClientsIT {
    private static final Path PROGRAMS = Path.of("src/it/clients").toAbsolutePath();
    private static final Path JAVA_PROGRAMS = Path.of("../client-programs/target").toAbsolutePath().normalize();
    /// What npm installs goes here, once per clone.
    private static final Path NODE_MODULES = Path.of("target/node_modules").toAbsolutePath();
    private static final String DOCKERODE = "dockerode@4.0.9";

    private Engine engine;

    @BeforeEach void use(Engine shared) {
        engine = shared;
    }

    private Outcome inEngine(String... words) {
        return engine.inside(words).with("DOCKER_HOST", "unix://" + engine.socket()).within(Duration.ofMinutes(3)).run();
    }

    private static void assumeInstalled(String program) {
        assumeTrue(Files.isExecutable(Path.of(program)), "needs " + program);
    }

    // docker-py

    @Test void dockerPyDeploys() {
        assumeTrue(Files.isDirectory(Path.of("/usr/lib/python3/dist-packages/docker")), "needs python3-docker");
        assertEquals("done", inEngine("/usr/bin/python3", PROGRAMS.resolve("deployment.py").toString(), engine.socket().toString(), BusyboxImage.NAME).succeeded());
    }

    // dockerode, and the Supervisor with it

    private Outcome node(String program, String... arguments) {
        assumeDockerode();
        var command = engine.inside("node", PROGRAMS.resolve(program).toString(), engine.socket().toString(), BusyboxImage.NAME).and(arguments);
        return command.with("NODE_PATH", NODE_MODULES.toString()).within(Duration.ofMinutes(3)).run();
    }

    private static synchronized void assumeDockerode() {
        assumeTrue(Command.of("sh", "-c", "command -v node && command -v npm").run().status() == 0, "needs node and npm");
        if (Files.isDirectory(NODE_MODULES.resolve("dockerode"))) return;
        var installed = Command.of("npm", "install", "--prefix", NODE_MODULES.getParent().toString(), "--no-save", "--no-package-lock", "--ignore-scripts",
                "--no-audit", "--no-fund", DOCKERODE).run();
        assumeTrue(installed.status() == 0, "npm cannot install " + DOCKERODE);
    }

    @Test void dockerodeServes() {
        assertEquals("done", node("service.js").succeeded());
    }

    @Test void theSupervisorFindsWhatItAskedFor() {
        try (var _ = Registry.start(engine)) {
            String said = node("supervisor.js", Registry.HOST + "/it/small:1").succeeded();
            assertTrue(said.startsWith("done"), said);
        }
    }

    // docker-java, and Testcontainers with it

    private Outcome java(String program, String... arguments) {
        assumeTrue(Files.isDirectory(JAVA_PROGRAMS.resolve("lib")), "needs the module client-programs to have been built");
        String java = Path.of(System.getProperty("java.home"), "bin/java").toString();
        return engine.inside(java, "-cp", JAVA_PROGRAMS + "/classes:" + JAVA_PROGRAMS + "/lib/*", "io.balena.engine.clients." + program).and(arguments)
                .with("DOCKER_HOST", "unix://" + engine.socket()).with("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
                .with("TESTCONTAINERS_RYUK_DISABLED", "true").with("TESTCONTAINERS_CHECKS_DISABLE", "true").within(Duration.ofMinutes(3)).run();
    }

    @Test void dockerJavaDeploys() {
        assertEquals("done", java("Deployment", engine.socket().toString(), BusyboxImage.NAME).succeeded());
    }

    @Test void testcontainersTests() {
        assertEquals("done", java("Testing", BusyboxImage.NAME).succeeded());
    }

    // skopeo

    @Test void skopeoCopiesOutAndIn() {
        assumeInstalled("/usr/bin/skopeo");
        String host = "unix://" + engine.socket();
        Path folder = engine.scratch();
        var docker = engine.docker();
        inEngine("skopeo", "copy", "-q", "--insecure-policy", "--src-daemon-host", host, "docker-daemon:" + BusyboxImage.NAME, "oci:" + folder + ":1").succeeded();
        inEngine("skopeo", "copy", "-q", "--insecure-policy", "--dest-daemon-host", host, "oci:" + folder + ":1", "docker-daemon:skopeo:1").succeeded();
        inEngine("skopeo", "copy", "-q", "--insecure-policy", "--src-daemon-host", host, "--dest-daemon-host", host, "docker-daemon:skopeo:1", "docker-daemon:skopeo:2")
                .succeeded();
        assertEquals("there", docker.run("run", "--rm", "--network", "none", "skopeo:2", "echo", "there").succeeded());
        assertEquals(docker.run("inspect", "-f", "{{.RootFS}}", BusyboxImage.NAME).succeeded(), docker.run("inspect", "-f", "{{.RootFS}}", "skopeo:2").succeeded());
        var missing = inEngine("skopeo", "copy", "--insecure-policy", "--src-daemon-host", host, "docker-daemon:nothing:1", "oci:" + folder + ":2");
        assertTrue(missing.err().contains("No such image: nothing:1"), missing::toString);
        docker.run("rmi", "skopeo:1", "skopeo:2").succeeded();
    }

    // compose 1.29

    private Outcome compose(String... words) {
        String file = PROGRAMS.resolve("docker-compose.yml").toString();
        return engine.inside("/usr/bin/docker-compose", "--ansi", "never", "-p", "project", "-f", file).and(words)
                .with("DOCKER_HOST", "unix://" + engine.socket()).within(Duration.ofMinutes(3)).run();
    }

    @Test void composeBringsAProjectUpAndDown() {
        assumeInstalled("/usr/bin/docker-compose");
        var docker = engine.docker();
        try {
            compose("up", "-d").succeeded();
            String rows = compose("ps").succeeded();
            assertTrue(rows.contains("Up (healthy)") && rows.contains("0.0.0.0:18081->8080/tcp"), rows);
            assertEquals("front", compose("exec", "-T", "front", "sh", "-c", "echo $WHERE").succeeded());
            assertEquals("from the store", compose("exec", "-T", "store", "cat", "/kept/copy").succeeded());
            for (String name : new String[] {"store", "database", "project_store_1"}) {
                assertEquals("from the store", compose("exec", "-T", "front", "wget", "-q", "-O", "-", "http://" + name).succeeded());
            }
            assertTrue(inEngine("curl", "-s", "http://127.0.0.1:18081/passwd").succeeded().startsWith("root:x:0:0"));
            assertTrue(compose("logs", "--no-color", "front").succeeded().contains("front_1  | ready"));
            String id = docker.run("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", "project_front_1").succeeded();
            compose("restart", "front").succeeded();
            String again = docker.run("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", "project_front_1").succeeded();
            assertTrue(!again.equals(id) && again.startsWith(id.substring(0, 64)), again);
            // Nothing has changed, so nothing is made anew.
            assertTrue(compose("up", "-d").err().contains("project_store_1 is up-to-date"));
            assertEquals("one-off", compose("run", "--rm", "--no-deps", "front", "echo", "one-off").succeeded());
            compose("up", "-d", "--scale", "store=2", "store").succeeded();
            assertEquals("0.0.0.0:18081", compose("port", "front", "8080").succeeded());
        } finally {
            compose("down", "-v", "-t", "0").succeeded();
        }
        assertEquals("", docker.run("ps", "-aq", "--filter", "label=com.docker.compose.project=project").succeeded());
        assertEquals("", docker.run("volume", "ls", "-q", "--filter", "label=com.docker.compose.project=project").succeeded());
        assertEquals("", docker.run("network", "ls", "-q", "--filter", "label=com.docker.compose.project=project").succeeded());
    }
}
