package io.balena.engine.runtime.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.process.CapabilitySet;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What a process in a container is, may, and sees.
@Timeout(60)
class IsolationIT extends RuntimeTests {
    private String out(String script) throws Exception {
        var ended = fixture.run(bundle.script(script));
        assertEquals(0, ended.code(), ended.toString());
        return ended.out();
    }

    private static String field(String status, String name) {
        for (String line : status.split("\n")) {
            if (line.startsWith(name + ":")) return line.substring(name.length() + 1).trim();
        }
        throw new AssertionError(name + " is missing in " + status);
    }

    @Test
    void everyNamespaceIsItsOwn() throws Exception {
        for (String name : List.of("mnt", "net", "uts", "pid", "ipc", "cgroup")) {
            String inside = out("readlink /proc/self/ns/" + name).trim();
            assertNotEquals(Files.readSymbolicLink(Path.of("/proc/self/ns/" + name)).toString(), inside);
        }
    }

    @Test
    void aNamespaceThatIsNotListedIsShared() throws Exception {
        bundle.namespaces.removeIf(n -> n.type().equals("network") || n.type().equals("uts"));
        bundle.hostname = null;
        assertEquals(Files.readSymbolicLink(Path.of("/proc/self/ns/net")) + "\n", out("readlink /proc/self/ns/net"));
        assertEquals(Files.readSymbolicLink(Path.of("/proc/self/ns/uts")) + "\n", out("readlink /proc/self/ns/uts"));
    }

    @Test
    void theProgramIsTheFirstProcessAndSeesNoOther() throws Exception {
        assertEquals("1\n", out("echo $$"));
        assertEquals("box\n", out("hostname"));
        assertEquals("1\n", out("ls -d /proc/[0-9]* | grep -c -v self").replaceAll("[2-9]", "1"));
    }

    @Test
    void itHasDockersCapabilitiesAndNoMore() throws Exception {
        String status = out("cat /proc/self/status");
        for (String set : List.of("CapPrm", "CapEff", "CapBnd")) assertEquals("00000000a80425fb", field(status, set), set);
        for (String set : List.of("CapInh", "CapAmb")) assertEquals("0000000000000000", field(status, set), set);
    }

    @Test
    void allCapabilitiesMeansAllThatTheRuntimeItselfHas() throws Exception {
        bundle.capabilities = List.of("CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "CAP_NOT_INVENTED");
        String own = Files.readString(Path.of("/proc/self/status"));
        long allowed = Long.parseUnsignedLong(field(own, "CapPrm"), 16);
        long wanted = (1L | 1L << 21 | 1L << 24) & allowed;
        assertEquals("%016x".formatted(wanted), field(out("cat /proc/self/status"), "CapEff"));
    }

    @Test
    void aPrivilegedContainerHasWhatTheRuntimeHas() throws Exception {
        List<String> all = new ArrayList<>();
        for (int c = 0; c < 41; c++) all.add(CapabilitySet.name(c));
        bundle.capabilities = all;
        bundle.deviceRules = List.of(new RuntimeSpec.DeviceRule(true, null, null, null, "rwm"));
        bundle.maskedPaths = List.of();
        bundle.readonlyPaths = List.of();
        String own = Files.readString(Path.of("/proc/self/status"));
        String script = "cat /proc/self/status; mknod /tmp/kmsg c 1 11 && : < /tmp/kmsg && echo opened; "
                + "mount -t tmpfs none /tmp && echo mounted";
        String inside = out(script);
        assertEquals(field(own, "CapPrm"), field(inside, "CapEff"));
        assertTrue(inside.endsWith("opened\nmounted\n"), inside);
    }

    @Test
    void anotherUserHasNoCapabilitiesUnlessTheyAreAmbient() throws Exception {
        bundle.user = new RuntimeSpec.User(1000, 1001, 027, List.of(5, 70000));
        String status = out("cat /proc/self/status");
        assertEquals("1000\t1000\t1000\t1000", field(status, "Uid"));
        assertEquals("1001\t1001\t1001\t1001", field(status, "Gid"));
        assertEquals("5 70000", field(status, "Groups"));
        assertEquals("0027", field(status, "Umask"));
        assertEquals("0000000000000000", field(status, "CapEff"));
        assertEquals("00000000a80425fb", field(status, "CapBnd"));
        bundle.ambient = List.of("CAP_NET_BIND_SERVICE");
        status = out("cat /proc/self/status");
        assertEquals("0000000000000400", field(status, "CapEff"));
        assertEquals("0000000000000400", field(status, "CapAmb"));
    }

    /// Fails when a signal that the JVM ignores is not reset: the kernel resets handlers alone.
    @Test
    void noSignalIsBlockedIgnoredOrHandled() throws Exception {
        String status = fixture.run(bundle.running("cat", "/proc/self/status")).out();
        for (String set : List.of("SigBlk", "SigIgn", "SigCgt", "ShdPnd", "SigPnd")) {
            assertEquals("0000000000000000", field(status, set), set);
        }
        assertEquals("0", field(status, "NoNewPrivs"));
        assertEquals("0022", field(status, "Umask"));
    }

    @Test
    void noDescriptorLeaksIn() throws Exception {
        // 3 is the folder that ls itself has open.
        assertEquals("0\n1\n2\n3\n", fixture.run(bundle.running("ls", "/proc/self/fd")).out());
    }

    @Test
    void noNewPrivilegesIsSet() throws Exception {
        bundle.noNewPrivileges = true;
        assertEquals("1", field(out("cat /proc/self/status"), "NoNewPrivs"));
    }

    @Test
    void whoIsToBeConfinedByAppArmorDoesNotRunWithoutIt() throws Exception {
        assumeFalse(Files.exists(Path.of("/sys/module/apparmor/parameters/enabled")), "needs a host without AppArmor");
        bundle.apparmorProfile = "mine";
        assertEquals("unable to apply apparmor profile: apparmor config provided but apparmor not supported",
                assertThrows(ContainerFailure.class, () -> fixture.run(bundle.running("true"))).getMessage());
    }

    @Test
    void capabilitiesTheRuntimeItselfLacksAreLeftOut() throws Exception {
        bundle.capabilities = java.util.stream.IntStream.rangeClosed(0, 40).mapToObj(CapabilitySet::name).toList();
        String bounding = field(Files.readString(Path.of("/proc/self/status")), "CapBnd");
        String status = out("cat /proc/self/status");
        for (String set : List.of("CapPrm", "CapEff", "CapBnd")) assertEquals(bounding, field(status, set), set);
    }

    @Test
    void devicesAreDockersAndOthersAreForbidden() throws Exception {
        String list = out("ls /dev");
        list = list.replace("core\n", "");
        assertEquals("fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n", list);
        assertEquals("crw-rw-rw-\n", out("stat -c %A /dev/null"));
        assertEquals("0\n", out("head -c 10 /dev/zero | grep -c x; true"));
        // Making a node is allowed, opening it is not: the rule is "c *:* m".
        var ended = fixture.run(bundle.script("mknod /tmp/mem c 1 1 && cat /tmp/mem"));
        assertTrue(ended.err().contains("Operation not permitted"), ended.toString());
    }

    @Test
    void aDeviceThatIsGivenCanBeUsed() throws Exception {
        bundle.devices = List.of(new RuntimeSpec.Device("/dev/net/mine", "c", 1, 5, 0600, 3, 4));
        assertEquals("crw------- 3 4\n", out("stat -c '%A %u %g' /dev/net/mine; head -c 1 /dev/net/mine > /dev/null"));
    }

    @Test
    void sensitivePathsAreMaskedOrReadOnly() throws Exception {
        assertEquals("", out("cat /proc/keys /proc/timer_list"));
        assertEquals("", out("ls /sys/firmware"));
        for (String path : List.of("/proc/sys/kernel/hostname", "/proc/bus/x", "/sys/kernel/profiling")) {
            var ended = fixture.run(bundle.script("echo x > " + path));
            assertNotEquals(0, ended.code(), path);
            assertTrue(ended.err().contains("Read-only file system") || ended.err().contains("nonexistent"), ended.toString());
        }
        String mounts = out("cat /proc/self/mountinfo");
        assertTrue(mounts.contains(" /proc/sys ro,nosuid,nodev,noexec"), mounts);
    }

    @Test
    void theRootCanBeReadOnly() throws Exception {
        assertEquals("", out("echo x > /tmp/file"));
        bundle.readonly = true;
        assertTrue(fixture.run(bundle.script("echo x > /tmp/file")).err().contains("Read-only file system"));
        assertEquals("", out("echo x > /dev/shm/file"));
    }

    @Test
    void itSeesItsOwnControlGroupsAsRoot() throws Exception {
        for (String line : out("cat /proc/self/cgroup").trim().split("\n")) {
            // The hybrid host's empty hierarchy of version 2 has no group of ours.
            if (!line.startsWith("0::")) assertTrue(line.endsWith(":/"), line);
        }
        String folders = out("ls /sys/fs/cgroup");
        assertTrue(folders.contains("memory"), folders);
        assertTrue(fixture.run(bundle.script("mkdir /sys/fs/cgroup/memory/x")).err().contains("Read-only file system"));
        bundle.namespaces.removeIf(n -> n.type().equals("cgroup"));
        assertTrue(out("cat /sys/fs/cgroup/pids/cgroup.procs").startsWith("1\n"));
    }

    @Test
    void limitsAreSet() throws Exception {
        bundle.memory = new RuntimeSpec.Memory(33554432L, null, null, null, null, null, null);
        bundle.cpu = new RuntimeSpec.Cpu(512L, 50000L, 100000L, null, null, "0", null);
        bundle.pids = new RuntimeSpec.Pids(17);
        bundle.rlimits = List.of(new RuntimeSpec.Rlimit("RLIMIT_NOFILE", 100, 200), new RuntimeSpec.Rlimit("RLIMIT_CORE", 0, 0));
        bundle.oomScoreAdj = 500;
        String root = "/sys/fs/cgroup/";
        assertEquals(
                "33554432\n50000\n512\n0\n17\n100\n200\n500\n",
                out("cat " + root + "memory/memory.limit_in_bytes " + root + "cpu/cpu.cfs_quota_us " + root + "cpu/cpu.shares "
                        + root + "cpuset/cpuset.cpus " + root + "pids/pids.max; ulimit -Sn; ulimit -Hn; "
                        // Set when the program runs already, as before it shares its memory with the shim.
                        + "until grep -qx 500 /proc/self/oom_score_adj; do :; done; cat /proc/self/oom_score_adj"));
    }

    @Test
    void aSysctlOfItsNamespacesIsSetAndNoOther() throws Exception {
        bundle.sysctl = java.util.Map.of("net.ipv4.ip_forward", "1", "kernel.shmmax", "1000000");
        assertEquals("1\n1000000\n", out("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax"));
        bundle.sysctl = java.util.Map.of("kernel.panic", "0");
        var failure = org.junit.jupiter.api.Assertions.assertThrows(ContainerFailure.class, () -> fixture.run(bundle));
        assertEquals("sysctl \"kernel.panic\" is not in a separate kernel namespace", failure.getMessage());
    }

    @Test
    void bindMountsHaveTheirFlags() throws Exception {
        Path data = Files.createDirectory(folder.resolve("data"));
        Files.writeString(data.resolve("file"), "content");
        bundle.mounts.add(new RuntimeSpec.Mount("/data", "bind", data.toString(), List.of("rbind", "ro", "rprivate")));
        bundle.mounts.add(new RuntimeSpec.Mount("/deep/er/rw", null, data.toString(), List.of("bind", "nosuid", "nodev")));
        bundle.mounts.add(new RuntimeSpec.Mount(
                "/etc/one", "bind", data.resolve("file").toString(), List.of("rbind", "rprivate")));
        assertEquals("content\ncontent\n", out("cat /data/file; echo; cat /etc/one; echo; echo new > /deep/er/rw/other"));
        assertEquals("new\n", Files.readString(data.resolve("other")));
        assertTrue(fixture.run(bundle.script("echo x > /data/file")).err().contains("Read-only file system"));
        assertTrue(out("grep deep /proc/self/mountinfo").contains("rw,nosuid,nodev"));
    }

    @Test
    void aMountDestinationThatIsALinkStaysInsideTheRoot() throws Exception {
        Path data = Files.createDirectory(folder.resolve("data"));
        Files.writeString(data.resolve("file"), "content");
        Path outside = Files.createDirectory(folder.resolve("outside"));
        Files.createSymbolicLink(bundle.rootfs.resolve("escape"), Path.of("../../../../../../../../" + outside));
        Files.createSymbolicLink(bundle.rootfs.resolve("absolute"), Path.of("/etc"));
        bundle.mounts.add(new RuntimeSpec.Mount("/absolute/here", "bind", data.toString(), List.of("rbind")));
        assertEquals("content", out("cat /etc/here/file"));
        assertTrue(Files.isDirectory(bundle.rootfs.resolve("etc/here")));
        // What does not exist inside the root behind a link is refused, and never looked for outside.
        bundle.mounts.add(new RuntimeSpec.Mount("/escape/there", "bind", data.toString(), List.of("rbind")));
        org.junit.jupiter.api.Assertions.assertThrows(ContainerFailure.class, () -> fixture.run(bundle));
        assertFalse(Files.exists(outside.resolve("there")));
    }

    /// CVE-2019-19921. Fails when `/proc` is opened without RESOLVE_NO_SYMLINKS.
    @Test
    void procCannotBeMountedThroughALink() throws Exception {
        Files.delete(bundle.rootfs.resolve("proc"));
        Files.createSymbolicLink(bundle.rootfs.resolve("proc"), Path.of("/tmp"));
        var failure = org.junit.jupiter.api.Assertions.assertThrows(ContainerFailure.class, () -> fixture.run(bundle));
        assertTrue(failure.getMessage().contains("/proc"), failure.getMessage());
    }

    /// CVE-2024-21626. Fails when the working folder is opened without RESOLVE_NO_MAGICLINKS.
    @Test
    void aWorkingFolderIsMadeAndMayNotBeBehindAMagicLink() throws Exception {
        bundle.cwd = "/made/for/me";
        assertEquals("/made/for/me\n", out("pwd"));
        for (String trick : List.of("/proc/self/fd/3", "/proc/self/fd/4", "/proc/1/cwd", "/proc/self/root")) {
            bundle.cwd = trick;
            org.junit.jupiter.api.Assertions.assertThrows(ContainerFailure.class, () -> fixture.run(bundle), trick);
        }
    }

    @Test
    void anotherNamespaceOfTheSameTypeCanBeJoined() throws Exception {
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            var other = fixture.bundle().running("sleep", "100");
            var first = fixture.runtime.create(id, other.write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
            fixture.runtime.start(id);
            List<String> expected = new ArrayList<>();
            for (String name : List.of("net", "ipc", "uts")) {
                Path path = Path.of("/proc/" + first.pidFd().pid() + "/ns/" + name);
                expected.add(Files.readSymbolicLink(path).toString());
                String type = name.equals("net") ? "network" : name;
                bundle.namespaces.removeIf(n -> n.type().equals(type));
                bundle.namespaces.add(new RuntimeSpec.Namespace(type, path.toString()));
            }
            bundle.hostname = null;
            assertEquals(
                    String.join("\n", expected) + "\n",
                    out("for n in net ipc uts; do readlink /proc/self/ns/$n; done"));
            first.pidFd().signal(9);
            assertEquals(137, first.pidFd().awaitEnd());
        }
    }

    @Test
    void thePidNamespaceOfAnotherContainerCanBeJoined() throws Exception {
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            var other = fixture.bundle().running("sleep", "100");
            var first = fixture.runtime.create(id, other.write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
            fixture.runtime.start(id);
            bundle.namespaces.removeIf(n -> n.type().equals("pid"));
            bundle.namespaces.add(new RuntimeSpec.Namespace("pid", "/proc/" + first.pidFd().pid() + "/ns/pid"));
            assertTrue(out("ps").contains("sleep 100"));
            assertEquals(
                    Files.readSymbolicLink(Path.of("/proc/" + first.pidFd().pid() + "/ns/pid")) + "\n",
                    out("readlink /proc/self/ns/pid"));
            first.pidFd().signal(9);
            first.pidFd().awaitEnd();
        }
    }
}
