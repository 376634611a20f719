package io.balena.engine.packaging;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// Limits reach the container's cgroups.
@ExtendWith(SharedEngine.class)
class LimitsIT {
    private DockerCli docker;

    @BeforeEach void use(Engine engine) {
        docker = engine.docker();
    }

    /// The value the kernel holds for the container's first process.
    private static String cgroup(DockerCli.RunningContainer container, String controller, String file) throws IOException {
        var membership = Files.readAllLines(Path.of("/proc/" + container.inspect("{{.State.Pid}}") + "/cgroup"));
        for (var line : membership) {
            var parts = line.split(":", 3);
            if (java.util.List.of(parts[1].split(",")).contains(controller)) {
                return Files.readString(Path.of("/sys/fs/cgroup/" + controller + parts[2] + "/" + file)).strip();
            }
        }
        assumeTrue(false, "this machine has no cgroup v1 controller " + controller);
        return "";
    }

    @Test void memoryIsLimited() throws IOException {
        try (var container = docker.background("--network", "none", "-m", "32m", BusyboxImage.NAME, "sleep", "1000")) {
            assertEquals("33554432", cgroup(container, "memory", "memory.limit_in_bytes"));
        }
    }

    @Test void whoTakesMoreMemoryIsKilledAndThatIsTold() {
        var id = docker.run("create", "--network", "none", "-m", "16m", "--memory-swap", "16m", BusyboxImage.NAME,
                "sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=60; tail /dev/zero").succeeded();
        try {
            docker.run("start", "-a", id);
            assertEquals("137 true", docker.run("inspect", "-f", "{{.State.ExitCode}} {{.State.OOMKilled}}", id).succeeded());
        } finally {
            docker.run("rm", "-f", id);
        }
    }

    @Test void processorsAreLimited() throws IOException {
        try (var container = docker.background("--network", "none", "--cpus", "0.5", BusyboxImage.NAME, "sleep", "1000")) {
            assertEquals("50000", cgroup(container, "cpu", "cpu.cfs_quota_us"));
            assertEquals("100000", cgroup(container, "cpu", "cpu.cfs_period_us"));
        }
        try (var container = docker.background("--network", "none", "--cpu-shares", "512", "--cpuset-cpus", "0", BusyboxImage.NAME, "sleep", "1000")) {
            assertEquals("512", cgroup(container, "cpu", "cpu.shares"));
            assertEquals("0", cgroup(container, "cpuset", "cpuset.cpus"));
        }
    }

    @Test void processesAreLimited() throws IOException {
        try (var container = docker.background("--network", "none", "--pids-limit", "20", BusyboxImage.NAME, "sleep", "1000")) {
            assertEquals("20", cgroup(container, "pids", "pids.max"));
            var bomb = container.exec("sh", "-c", "for i in $(seq 40); do sleep 5 & done; wait");
            assertTrue(bomb.err().contains("can't fork"), bomb::toString);
        }
    }

    @Test void resourceLimitsOfAProcessAreSet() {
        assertEquals("100 200", docker.run("run", "--rm", "--network", "none", "--ulimit", "nofile=100:200", BusyboxImage.NAME,
                "sh", "-c", "echo $(ulimit -Sn) $(ulimit -Hn)").succeeded());
    }

    @Test void sharedMemoryIsAsLargeAsAsked() {
        assertTrue(docker.run("run", "--rm", "--network", "none", "--shm-size", "8m", BusyboxImage.NAME, "grep", " /dev/shm ", "/proc/mounts")
                .succeeded().contains("size=8192k"));
        assertTrue(docker.run("run", "--rm", "--network", "none", BusyboxImage.NAME, "grep", " /dev/shm ", "/proc/mounts")
                .succeeded().contains("size=65536k"));
    }

    @Test void theCgroupsGoWithTheContainer() throws IOException {
        Path folder;
        try (var container = docker.background("--network", "none", BusyboxImage.NAME, "sleep", "1000")) {
            var line = Files.readAllLines(Path.of("/proc/" + container.inspect("{{.State.Pid}}") + "/cgroup")).stream()
                    .filter(l -> l.contains(":memory:")).findFirst();
            assumeTrue(line.isPresent(), "this machine has no cgroup v1 controller memory");
            folder = Path.of("/sys/fs/cgroup/memory" + line.get().split(":", 3)[2]);
            assertTrue(Files.isDirectory(folder) && folder.toString().contains(container.id()), folder::toString);
        }
        assertTrue(Engine.become(java.time.Duration.ofSeconds(5), () -> !Files.exists(folder)));
    }
}
