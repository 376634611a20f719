package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// Commits and exports of containers that run, on a data root of 40 MB.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SnapshotIT {
    private Engine engine;
    private DockerCli docker;

    @BeforeAll void start() {
        BusyboxImage.assumePossible();
        engine = Engine.prepare("--bridge=none");
        Command.of("sh", "-c", "mkdir -p " + engine.data() + "; mount -t tmpfs -o size=40m tmpfs " + engine.data()).run().succeeded();
        engine.startDaemon();
        docker = engine.docker();
        BusyboxImage.importInto(engine);
    }

    @AfterAll void stop() {
        if (engine != null) engine.close();
    }

    @AfterEach void tidyUp() {
        docker.run("rmi", "-f", "made");
    }

    @Test void theContainerIsFrozenWhileItsFilesAreReadAndGoesOn() throws Exception {
        try (var running = docker.background("--network", "none", BusyboxImage.NAME, "sh", "-c", "dd if=/dev/zero of=/large bs=1M count=8; while :; do date +%s%N > /now; done")) {
            assertTrue(Engine.become(Duration.ofSeconds(20), () -> running.exec("test", "-s", "/now").status() == 0));
            docker.run("commit", running.id(), "made").succeeded();
            // Whole seconds count; so it listens for one more, and is told what was before.
            var until = Long.toString(Instant.now().getEpochSecond() + 1);
            var seen = docker.run("events", "--since", "10m", "--until", until, "--filter", "container=" + running.id(), "--format", "{{.Action}}").succeeded();
            assertTrue(seen.endsWith("pause\nunpause\ncommit"), seen);
            assertEquals("running", running.inspect("{{.State.Status}}"));
            var before = running.exec("cat", "/now").succeeded();
            assertTrue(Engine.become(Duration.ofSeconds(20), () -> !running.exec("cat", "/now").succeeded().equals(before)), "it stands still");
        }
    }

    @Test void onAFullDiskTheContainerGoesOnAndNothingIsLeft() {
        try (var running = docker.background("--network", "none", BusyboxImage.NAME, "sh", "-c", "dd if=/dev/urandom of=/large bs=1M count=22; sleep 1000")) {
            assertTrue(Engine.become(Duration.ofSeconds(30), () -> running.exec("stat", "-c", "%s", "/large").out().strip().equals("23068672")));
            var used = used();
            var failed = docker.run("commit", running.id(), "made").endedWith(1);
            assertTrue(failed.err().contains("no space left on device") || failed.err().contains("No space left on device"), failed.err());
            assertEquals("running", running.inspect("{{.State.Status}}"));
            assertEquals(used, used());
            running.exec("rm", "/large").succeeded();
            docker.run("commit", running.id(), "made").succeeded();
        }
    }

    @Test void removalDuringAnExportEndsTheExportWithAnError() {
        var running = docker.background("--network", "none", BusyboxImage.NAME, "sh", "-c", "dd if=/dev/zero of=/large bs=1M count=20; sleep 1000");
        assertTrue(Engine.become(Duration.ofSeconds(30), () -> running.exec("stat", "-c", "%s", "/large").out().strip().equals("20971520")));
        var export = Command.of("bash", "-c", "curl -sS --unix-socket " + engine.socket() + " http://docker/containers/" + running.id()
                + "/export | { sleep 3; wc -c; }; echo ${PIPESTATUS[0]}");
        var outcome = new java.util.concurrent.CompletableFuture<Outcome>();
        Thread.ofVirtual().start(() -> outcome.complete(export.run()));
        Engine.become(Duration.ofSeconds(2), () -> false);
        running.close();
        var lines = outcome.join().out().strip().split("\\s+");
        assertTrue(!lines[1].equals("0"), outcome.join().toString());
        assertTrue(Engine.become(Duration.ofSeconds(20), () -> Command.of("grep", "-c", engine.data() + "/overlay2", "/proc/self/mountinfo").run().out().strip().equals("0")));
    }

    private String used() {
        return Command.of("sh", "-c", "ls " + engine.data() + "/overlay2 " + engine.data() + "/image/overlay2/layerdb/*").run().succeeded();
    }
}
