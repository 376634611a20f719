package io.balena.engine.packaging;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

/// What a container sees, and what it does not.
@ExtendWith(SharedEngine.class)
class IsolationIT {
    private Engine engine;
    private DockerCli docker;

    @BeforeEach void use(Engine shared) {
        engine = shared;
        docker = shared.docker();
    }

    private String sh(String script, String... options) {
        return docker.command("run", "--rm", "--network", "none").and(options).and(BusyboxImage.NAME, "sh", "-c", script).run().succeeded();
    }

    @ParameterizedTest
    @ValueSource(strings = {"pid", "mnt", "uts", "ipc", "net"})
    void aContainerHasNamespacesOfItsOwn(String namespace) throws IOException {
        assertNotEquals(Files.readSymbolicLink(Path.of("/proc/self/ns/" + namespace)).toString(), sh("readlink /proc/self/ns/" + namespace));
    }

    @Test void itHasACgroupNamespaceOfItsOwnWhenAsked() throws IOException {
        var ours = Files.readSymbolicLink(Path.of("/proc/self/ns/cgroup")).toString();
        assertEquals(ours, sh("readlink /proc/self/ns/cgroup", "--cgroupns", "host"));
        assertNotEquals(ours, sh("readlink /proc/self/ns/cgroup", "--cgroupns", "private"));
    }

    @Test void itsFirstProcessIsNumberOneAndSeesNoOther() {
        assertEquals("1", sh("echo $$"));
        assertEquals("/proc/1", docker.run("run", "--rm", "--network", "none", BusyboxImage.NAME, "find", "/proc", "-maxdepth", "1", "-name", "[0-9]*").succeeded());
    }

    @Test void itHasDockersCapabilities() {
        var status = sh("grep -E '^Cap|^NoNewPrivs|^Seccomp:' /proc/self/status | tr -s '\\t ' ' '").lines().toList();
        assertEquals(List.of("CapInh: 0000000000000000", "CapPrm: 00000000a80425fb", "CapEff: 00000000a80425fb", "CapBnd: 00000000a80425fb",
                "CapAmb: 0000000000000000", "NoNewPrivs: 0", "Seccomp: 2"), status);
    }

    @Test void capabilitiesAreAddedAndDropped() {
        assertEquals("00000000a80435fb", sh("grep CapEff /proc/self/status | cut -f2", "--cap-add", "NET_ADMIN"));
        assertEquals("0000000000000000", sh("grep CapEff /proc/self/status | cut -f2", "--cap-drop", "ALL"));
        assertEquals("0000000000000000", sh("grep CapEff /proc/self/status | cut -f2", "-u", "web"));
        assertEquals("1", sh("grep NoNewPrivs /proc/self/status | cut -f2", "--security-opt", "no-new-privileges"));
    }

    @Test void theSeccompProfileForbidsWhatDockersForbids() {
        assertEquals("refused", sh("unshare -U true 2>/dev/null && echo allowed || echo refused"));
        assertEquals("refused", sh("mount -t tmpfs none /mnt 2>/dev/null && echo allowed || echo refused"));
        assertEquals("0", sh("grep Seccomp: /proc/self/status | cut -f2", "--security-opt", "seccomp=unconfined"));
        assumeFalse(Engine.PEER, "runc needs capabilities that this machine may lack");
        assertEquals("0", sh("grep Seccomp: /proc/self/status | cut -f2", "--privileged"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats"})
    void filesThatTellTooMuchAreEmpty(String file) {
        assertEquals("", sh("test -e " + file + " && head -c 100 " + file + " 2>/dev/null; true"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/sys/kernel/mm/transparent_hugepage/enabled"})
    void settingsOfTheKernelCannotBeWritten(String file) {
        var outcome = docker.run("run", "--rm", "--network", "none", BusyboxImage.NAME, "sh", "-c", "echo 1 > " + file);
        assertNotEquals(0, outcome.status(), outcome::toString);
        assertTrue(outcome.err().matches("(?s).*(Read-only file system|nonexistent directory|Permission denied).*"), outcome.err());
    }

    @Test void firmwareIsHidden() {
        assertEquals("0", sh("ls /sys/firmware | wc -l"));
    }

    @Test void devHasDockersDevices() {
        var devices = sh("cd /dev; stat -c '%n %F %a %t:%T' null zero full random urandom tty").lines().toList();
        assertEquals(List.of("null character special file 666 1:3", "zero character special file 666 1:5", "full character special file 666 1:7",
                "random character special file 666 1:8", "urandom character special file 666 1:9", "tty character special file 666 5:0"), devices);
        assertEquals("fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero",
                sh("echo $(ls /dev | grep -v core)"));
        assertEquals("/proc/self/fd /proc/self/fd/0 pts/ptmx", sh("cd /dev; echo $(readlink fd) $(readlink stdin) $(readlink ptmx)"));
    }

    @Test void otherDevicesCannotBeOpened() {
        assertEquals("refused", sh("mknod /tmp/loop b 7 0 && head -c 1 /tmp/loop >/dev/null 2>&1 && echo opened || echo refused"));
        assertEquals("fuse", sh("ls /dev/ | grep fuse", "--device", "/dev/null:/dev/fuse"));
    }

    @Test void theMountsAreThoseOfDocker() {
        var mounts = sh("cut -d' ' -f2,3 /proc/mounts").lines().toList();
        for (var expected : new String[] {"/ overlay", "/proc proc", "/dev tmpfs", "/dev/pts devpts", "/sys sysfs", "/sys/fs/cgroup tmpfs", "/dev/mqueue mqueue", "/dev/shm tmpfs"}) {
            assertTrue(mounts.contains(expected) || expected.startsWith("/sys/fs/cgroup"), () -> expected + " is missing in " + mounts);
        }
        assertTrue(sh("grep ' /sys ' /proc/mounts").contains("ro,"));
    }

    @Test void mountsOfTheMachineAreNotSeenAndThoseOfTheContainerDoNotComeOut() throws IOException {
        assertFalse(sh("cat /proc/mounts").contains("/run/netns"));
        try (var container = docker.background("--network", "none", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined",
                "--security-opt", "apparmor=unconfined", BusyboxImage.NAME, "sh", "-c", "mkdir -p /mnt && mount -t tmpfs inner /mnt && echo mounted && sleep 1000")) {
            assertTrue(Engine.become(java.time.Duration.ofSeconds(10), () -> docker.run("logs", container.id()).out().contains("mounted")));
            assertFalse(Files.readString(Path.of("/proc/self/mountinfo")).contains(" inner "));
        }
    }

    @Test void aFileDescriptorOfTheEngineIsNeverInherited() {
        assertEquals(List.of("0", "1", "2", "3"), docker.run("run", "--rm", "--network", "none", BusyboxImage.NAME, "ls", "/proc/self/fd")
                .succeeded().lines().toList(), "3 is the folder that ls reads");
    }

    @Test void theSocketOfTheEngineIsNotInside() {
        assertEquals("no", sh("test -S " + engine.socket() + " && echo yes || echo no"));
    }
}
