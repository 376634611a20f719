package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Ways out of a container that lead through what the kernel offers to all: devices, control groups, settings, handles of files.
@ExtendWith(SharedEngine.class)
class KernelEscapeIT {
    private DockerCli docker;

    @BeforeAll static void image(Engine engine) {
        ProbeImage.importInto(engine, ProbeImage.tar(engine));
    }

    @BeforeEach void use(Engine shared) {
        docker = shared.docker();
    }

    /// Fails without the rule that denies all devices: mknod(2) is allowed, opening is not.
    @Test void theHostsDisksAndMemoryCannotBeOpened() throws IOException {
        List<String> nodes = new ArrayList<>(List.of("c:1:1", "c:1:2", "c:1:4", "c:1:11", "c:10:237", "c:10:229", "b:7:0"));
        for (String line : Files.readAllLines(Path.of("/proc/partitions"))) {
            String[] fields = line.strip().split("\\s+");
            if (fields.length == 4 && fields[0].matches("\\d+")) nodes.add("b:" + fields[0] + ":" + fields[1]);
        }
        for (var options : List.of(List.<String>of(), List.of("--cap-add", "SYS_RAWIO"), List.of("--device", "/dev/null:/dev/x"))) {
            var words = new ArrayList<>(List.of("nodes"));
            words.addAll(nodes);
            var said = Attack.run(docker, options, words.toArray(String[]::new));
            assertFalse(said.contains("opened"), said);
            assertTrue(said.contains("open b:7:0 EPERM"), said);
        }
        // Given for reading, it is not for writing.
        var given = Attack.run(docker, List.of("--device", "/dev/full:/dev/x:r", "--device-cgroup-rule", "c 10:229 r"), "nodes", "c:10:229");
        assertTrue(given.contains("opened c:10:229 0") && !given.contains("opened c:10:229 1"), given);
    }

    /// CVE-2022-0492 and its older brothers: whoever can write `release_agent` has a program run by the host.
    @Test void controlGroupsCanNeitherBeMountedNorChanged() {
        for (var options : List.of(List.<String>of(), List.of("--cgroupns=private"), List.of("--cgroupns=host"), List.of("--cap-add", "DAC_OVERRIDE"))) {
            var said = Attack.run(docker, options, "groups");
            assertFalse(said.contains("opened") || said.contains("mounted") || said.contains("unshared"), said);
        }
    }

    @Test void settingsOfTheKernelAreRefusedToAll() {
        String[] paths = {"writes", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug",
            "/proc/sys/vm/panic_on_oom", "/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/ns_last_pid", "/proc/sys/net/ipv4/ip_forward",
            "/sys/kernel/uevent_helper", "/sys/kernel/profiling", "/sys/kernel/mm/ksm/run", "/sys/power/state", "/sys/block/zram0/reset",
            "/sys/firmware/efi/vars/x", "/proc/irq/default_smp_affinity", "/proc/bus/pci/00/00.0", "/proc/kcore", "/proc/1/oom_adj/x",
            "/sys/module/kernel/parameters/panic", "/sys/fs/cgroup/devices/devices.allow"};
        for (var options : List.of(List.<String>of(), List.of("--cap-add", "NET_ADMIN"), List.of("--net=host"))) {
            var command = docker.command("run", "--rm").and(options.contains("--net=host") ? new String[0] : new String[] {"--network", "none"})
                    .and(options.toArray(String[]::new)).and(ProbeImage.NAME, "python3", "/attack.py").and(paths);
            var said = command.run().succeeded();
            assertFalse(said.contains("wrote"), said);
            assertEquals(paths.length - 1, said.lines().filter(line -> line.startsWith("refused")).count(), said);
        }
        try (var container = docker.background("--network", "none", ProbeImage.NAME, "sleep", "1000")) {
            var said = docker.command("exec", container.id(), "python3", "/attack.py").and(paths).run().succeeded();
            assertFalse(said.contains("wrote"), said);
        }
    }

    /// "Shocker". /etc/hostname is on the host's disk. Fails with CAP_DAC_READ_SEARCH and without the filter.
    @Test void filesOfTheHostCannotBeOpenedByTheirHandles() {
        for (var options : List.of(List.<String>of(), List.of("--security-opt", "seccomp=unconfined"))) {
            var said = Attack.run(docker, options, "handles", "/etc/hostname");
            assertFalse(said.contains("opened"), said);
            assertTrue(said.contains("EPERM"), said);
        }
    }

    /// Without the filter mount(2) still needs a capability, and with the capability the filter of who did not ask for it.
    @Test void masksCannotBeTakenAway() {
        String script = "umount /proc/keys; umount /proc/sys; mount -o remount,rw /proc/sys; mount -o remount,rw /sys; mount -t proc p /tmp;"
                + " unshare -rm true && echo unshared; cat /proc/keys /proc/kcore | head -c 10; echo x > /proc/sys/kernel/domainname && echo written";
        for (var options : List.of(List.<String>of(), List.of("--security-opt", "seccomp=unconfined"))) {
            var said = docker.command("run", "--rm", "--network", "none").and(options.toArray(String[]::new))
                    .and(ProbeImage.NAME, "sh", "-c", script).run();
            boolean filtered = options.isEmpty();
            assertFalse(said.out().contains("written") || filtered && said.out().contains("unshared"), said::toString);
            assertEquals(filtered ? "" : said.out(), said.out());
        }
    }
}
