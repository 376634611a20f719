package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Mounts of containers do not hold on to anything in mount namespaces that somebody made while they were there. As moby since 18.02,
/// the engine does not make its folder a private mount: where mounts propagate, so does the unmounting, and a private mount would only
/// keep the unmounting from those who have a copy.
@ExtendWith(SharedEngine.class)
class MountLeakIT {
    @Test void aCopyOfTheMountElsewhereKeepsNobodyFromStoppingStartingOrRemoving(Engine engine) throws Exception {
        var docker = engine.docker();
        for (var propagation : new String[] {"private", "slave", "shared"}) {
            Process elsewhere;
            try (var container = docker.background("--network", "none", "-v", "leaky:/data", BusyboxImage.NAME, "sleep", "1000")) {
                elsewhere = new ProcessBuilder("unshare", "--mount", "--propagation", propagation, "sh", "-c", "echo there; exec sleep 1000").start();
                try {
                    assertEquals("there", elsewhere.inputReader().readLine());
                    assertTrue(mounts(elsewhere.pid()).contains(" " + container.inspect("{{.GraphDriver.Data.MergedDir}}") + " "), propagation);
                    container.exec("touch", "/file").succeeded();
                    docker.run("stop", "-t", "0", container.id()).succeeded();
                    docker.run("start", container.id()).succeeded();
                    container.exec("ls", "/file").succeeded();
                    docker.run("rm", "-f", container.id()).succeeded();
                    docker.run("volume", "rm", "leaky").succeeded();
                    assertFalse(Files.exists(engine.data().resolve("containers/" + container.id())));
                } finally {
                    elsewhere.destroyForcibly().waitFor();
                }
            }
        }
    }

    @Test void aContainerSeesNoOtherContainersMounts(Engine engine) throws IOException {
        var docker = engine.docker();
        try (var one = docker.background("--network", "none", BusyboxImage.NAME, "sleep", "1000");
                var two = docker.background("--network", "none", BusyboxImage.NAME, "sleep", "1000")) {
            var pid = Long.parseLong(two.inspect("{{.State.Pid}}"));
            assertEquals(1, mounts(pid).lines().filter(line -> line.contains(" - overlay ")).count(), () -> unchecked(pid));
            docker.run("rm", "-f", one.id()).succeeded();
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> !unchecked(pid).contains(one.id())));
        }
    }

    private static String mounts(long pid) throws IOException {
        return Files.readString(Path.of("/proc/" + pid + "/mountinfo"));
    }

    private static String unchecked(long pid) {
        try {
            return mounts(pid);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
