package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/// A delta's way from the machine that makes it through a real registry to the one that runs what it gives, by command line.
@ExtendWith(SharedEngine.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DeltaEndToEndIT {
    private static final String HOST = "127.0.0.1:5057";
    private static final String OLD = HOST + "/app:old";
    private static final String NEW = HOST + "/app:new";
    private static final String DELTA = HOST + "/app:delta-old-new";
    private static final Pattern SERVED = Pattern.compile("\"GET /v2/app/blobs/[^\"]*\" 200 (\\d+)");

    private Engine engine;
    private DockerCli docker;
    private Process registry;
    private Path storage;
    private Path registryLog;
    private String oldId;
    private String newId;
    private String made;

    @BeforeAll void makeTheDelta(Engine shared) throws IOException {
        assumeTrue(!Engine.PEER, "dockerd has no deltas");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/docker-registry")), "needs docker-registry");
        engine = shared;
        docker = engine.docker();
        storage = engine.scratch();
        registryLog = storage.resolve("registry.log");
        registry = registry(engine, registryLog);
        oldId = image(OLD, "seq 1 300000 > /numbers; head -c 3000000 /dev/urandom > /noise; mkdir /app; echo old > /app/version");
        newId = image(NEW, "cp /noise /moved-noise; rm /noise; seq 1 150000 > /numbers; seq 150002 300000 >> /numbers; echo new > /app/version", OLD);
        made = engine.balena().run("image", "delta", "-t", DELTA, OLD, NEW).succeeded();
        for (String name : List.of(OLD, NEW, DELTA)) docker.run("push", "-q", name).succeeded();
        docker.run("rmi", DELTA).succeeded();
        docker.run("rmi", NEW).succeeded();
    }

    @AfterAll void stop() {
        if (registry != null) registry.destroy();
        if (docker != null) for (String name : List.of(DELTA, NEW, OLD)) docker.run("rmi", name);
    }

    /// An image of one layer upon busybox, in which `script` has run.
    private String image(String name, String script) {
        docker.run("rm", "-f", "delta-it").status();
        docker.run("run", "--name", "delta-it", "--network", "none", BusyboxImage.NAME, "sh", "-c", script).succeeded();
        docker.run("commit", "delta-it", name).succeeded();
        docker.run("rm", "delta-it").succeeded();
        return id(docker, name);
    }

    /// An image of one layer upon busybox that holds what `script` makes of the last one's.
    private String image(String name, String script, String of) {
        docker.run("rm", "-f", "delta-it").status();
        Path files = engine.scratch();
        docker.run("create", "--name", "delta-it", of).succeeded();
        Command.of("sh", "-c", docker.program() + " -H " + docker.host() + " export delta-it | tar -C " + files + " -xf - noise numbers app").run().succeeded();
        docker.run("rm", "delta-it").succeeded();
        docker.run("run", "--name", "delta-it", "--network", "none", "-v", files + ":/old:ro", BusyboxImage.NAME, "sh", "-c",
                "cp -a /old/noise /old/numbers /old/app /; " + script).succeeded();
        docker.run("commit", "delta-it", name).succeeded();
        docker.run("rm", "delta-it").succeeded();
        return id(docker, name);
    }

    @Test void theCommandLineTellsWhatTheDeltaSaves() {
        assertTrue(made.contains("Skipping common layer"), made);
        assertTrue(made.contains(OLD + ": Fingerprint complete, took "), made);
        assertTrue(Pattern.compile("Normal size: \\S+MB, Delta size: \\S+B, \\d+\\.\\d\\dx improvement").matcher(made).find(), made);
        assertTrue(Pattern.compile("Created delta: sha256:[0-9a-f]{64}\n").matcher(made).find(), made);
        assertTrue(made.contains("Successfully tagged " + DELTA), made);
    }

    @Test void dockerPullsTheDeltaAndRunsWhatItGives() throws IOException {
        long before = served();
        docker.run("pull", DELTA).succeeded();
        long bytes = served() - before;
        assertEquals(newId, id(docker, DELTA));
        assertEquals("new 3000000", docker.run("run", "--rm", "--network", "none", DELTA, "sh", "-c",
                "echo $(cat /app/version) $(stat -c %s /moved-noise)").succeeded());
        assertTrue(bytes > 500 && bytes < 40_000, "bytes fetched: " + bytes);
        docker.run("rmi", DELTA).succeeded();
    }

    @Test void theBaseMayBeThatOfARunningEngine() throws IOException {
        Process nearIt = null;
        try (Engine host = Engine.start("--bridge=none", "--delta-data-root=" + engine.data(), "--delta-storage-driver=overlay2")) {
            nearIt = registry(host, registryLog.resolveSibling("registry-of-the-host.log"));
            DockerCli other = host.docker();
            other.run("pull", DELTA).succeeded();
            assertEquals(newId, id(other, DELTA));
            assertEquals("new", other.run("run", "--rm", "--network", "none", DELTA, "cat", "/app/version").succeeded());
            assertEquals(oldId, id(docker, OLD));
            // Nothing was taken for the layer itself: what is pushed now is the image, whole, and pulls as such.
            other.run("tag", DELTA, HOST + "/again:1").succeeded();
            other.run("push", "-q", HOST + "/again:1").succeeded();
            docker.run("pull", "-q", HOST + "/again:1").succeeded();
            assertEquals(newId, id(docker, HOST + "/again:1"));
            docker.run("rmi", HOST + "/again:1").succeeded();

            host.killDaemon();
            host.startDaemon();
            assertEquals(newId, id(other, DELTA));
        } finally {
            if (nearIt != null) nearIt.destroy();
        }
    }

    @Test void aMissingBaseIsAnAnswerOfItsOwn() throws IOException {
        docker.run("rmi", OLD).succeeded();
        try {
            var refused = Command.of("curl", "-s", "-w", "%{http_code}", "-X", "POST", "--unix-socket", engine.socket().toString(),
                    "http://docker/v1.41/images/create?fromImage=" + HOST + "/app&tag=delta-old-new").run().succeeded();
            assertTrue(refused.endsWith("404"), refused);
            assertTrue(refused.contains("loading delta base image \\\"" + oldId + "\\\": failed to get digest " + oldId + ": open "), refused);
            assertTrue(docker.run("pull", DELTA).endedWith(1).err().contains("loading delta base image"));
        } finally {
            docker.run("pull", "-q", OLD).succeeded();
        }
        var missing = docker.run("pull", DELTA);
        assertEquals(0, missing.status(), missing.toString());
        docker.run("rmi", DELTA).succeeded();
    }

    @Test void unknownImagesAreToldApart() {
        assertTrue(engine.balena().run("image", "delta", "nothing", OLD).endedWith(1).err()
                .contains("no such image: nothing: No such image: nothing:latest"));
        assertTrue(engine.balena().run("image", "delta", "-t", "x@sha256:" + "0".repeat(64), OLD, OLD).endedWith(1).err()
                .contains("build tag cannot contain a digest"));
    }

    private static String id(DockerCli docker, String image) {
        return docker.run("image", "inspect", "-f", "{{.Id}}", image).succeeded();
    }

    /// Bytes of blobs that the registry has sent so far.
    private long served() throws IOException {
        return SERVED.matcher(Files.readString(registryLog)).results().mapToLong(found -> Long.parseLong(found.group(1))).sum();
    }

    /// One that `near` can reach. Several may serve the same storage.
    private Process registry(Engine near, Path log) throws IOException {
        Path configuration = storage.resolve("registry.yml");
        Files.writeString(configuration, """
                version: 0.1
                log: { level: error, accesslog: { disabled: false } }
                storage: { filesystem: { rootdirectory: %s } }
                http: { addr: "%s" }
                """.formatted(storage.resolve("registry"), HOST));
        Process process = new ProcessBuilder(near.inside("docker-registry", "serve", configuration.toString()).words())
                .redirectErrorStream(true).redirectOutput(log.toFile()).start();
        assertTrue(Engine.become(Duration.ofSeconds(20), () -> near.inside("curl", "-s", "http://" + HOST + "/v2/").run().status() == 0),
                "the registry answers");
        return process;
    }
}
