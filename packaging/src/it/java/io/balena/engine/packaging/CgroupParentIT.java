package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/// Where containers' control groups lie is decided when they start.
class CgroupParentIT {
    private static final String PARENT = "/balena-parent-it-" + ProcessHandle.current().pid();

    private static void say(Path file, String parent) throws IOException {
        Files.writeString(file, "{\"cgroup-parent\": \"" + parent + "\"}");
    }

    @Test void aContainerIsFoundWhereItWasStartedWhenTheEngineComesBackWithOtherFlags() throws IOException {
        BusyboxImage.assumePossible();
        Path file = Files.createTempFile("daemon", ".json");
        say(file, PARENT + "/one");
        try (var engine = Engine.prepare("--bridge=none", "--live-restore", "--config-file", file.toString())) {
            engine.startDaemon();
            BusyboxImage.importInto(engine);
            try (var early = engine.docker().background("--network", "none", "--name", "early", "-m", "33m", BusyboxImage.NAME, "sleep", "1000")) {
                assertTrue(groups(early).contains(PARENT + "/one/" + early.id()), () -> groups(early));
                engine.stopDaemon();
                say(file, PARENT + "/two");
                engine.startDaemon();
                try (var late = engine.docker().background("--network", "none", BusyboxImage.NAME, "sleep", "1000")) {
                    assertTrue(groups(late).contains(PARENT + "/two/" + late.id()), () -> groups(late));
                }
                assertEquals(33 << 20, engine.get("/containers/early/stats?stream=0&one-shot=1").at("/memory_stats/limit").asLong());
                assertTrue(engine.docker().run("top", "early").succeeded().contains("sleep 1000"));
                engine.docker().run("update", "-m", "44m", "--memory-swap", "88m", "early").succeeded();
                assertEquals(44 << 20, engine.get("/containers/early/stats?stream=0&one-shot=1").at("/memory_stats/limit").asLong());
                engine.docker().run("pause", "early").succeeded();
                engine.docker().run("unpause", "early").succeeded();
            }
            // The parents are the administrator's, the containers' own groups are gone.
            assertTrue(Engine.become(Duration.ofSeconds(10), () -> Command.of("find", "/sys/fs/cgroup", "-path", "*" + PARENT + "/*/*", "-type", "d").run().out().isEmpty()));
        } finally {
            Command.of("find", "/sys/fs/cgroup", "-depth", "-path", "*" + PARENT + "*", "-type", "d", "-exec", "rmdir", "{}", ";").run();
            Files.delete(file);
        }
    }

    @Test void realTimeIsHandedDownToTheParents() throws IOException {
        BusyboxImage.assumePossible();
        org.junit.jupiter.api.Assumptions.assumeTrue(Files.exists(Path.of("/sys/fs/cgroup/cpu/cpu.rt_runtime_us")), "this kernel has no real-time groups");
        try (var engine = Engine.start("--bridge=none", "--cgroup-parent=" + PARENT + "/rt", "--cpu-rt-period=1000000", "--cpu-rt-runtime=20000")) {
            BusyboxImage.importInto(engine);
            try (var container = engine.docker().background("--network", "none", "--cpu-rt-runtime=10000", BusyboxImage.NAME, "sleep", "1000")) {
                Path group = Path.of("/sys/fs/cgroup/cpu" + PARENT + "/rt");
                assertEquals("20000", Files.readString(group.resolve("cpu.rt_runtime_us")).strip());
                assertEquals("10000", Files.readString(group.resolve(container.id()).resolve("cpu.rt_runtime_us")).strip());
            }
            var tooMuch = engine.docker().run("run", "--rm", "--network", "none", "--cpu-rt-runtime=900000", BusyboxImage.NAME, "true");
            assertTrue(tooMuch.err().contains("cpu.rt_runtime_us: invalid argument"), tooMuch::toString);
        } finally {
            Command.of("find", "/sys/fs/cgroup", "-depth", "-path", "*" + PARENT + "*", "-type", "d", "-exec", "rmdir", "{}", ";").run();
        }
    }

    private static String groups(DockerCli.RunningContainer container) {
        try {
            return Files.readString(Path.of("/proc/" + container.inspect("{{.State.Pid}}") + "/cgroup"));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
