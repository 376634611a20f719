package io.balena.engine.runtime.namespace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.Pipe;
import io.balena.engine.runtime.container.Bundle;
import io.balena.engine.runtime.container.OciRuntime;
import io.balena.engine.runtime.container.RuntimeFixture;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.container.RuntimeTests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// A container whose root is nobody on the host.
@Timeout(60)
class UserNamespaceIT extends RuntimeTests {
    private static final int SHIFT = 200_000;
    private static final List<RuntimeSpec.IdMapping> MAPPINGS = List.of(new RuntimeSpec.IdMapping(0, SHIFT, 65_536));

    @BeforeEach
    void open() throws Exception {
        bundle = remapped();
    }

    private Bundle remapped() throws Exception {
        // Others must get through to its files; that they are not the host's root's is for root inside to see.
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx--x--x"));
        var bundle = fixture.bundle();
        bundle.namespaces.add(new RuntimeSpec.Namespace("user", null));
        bundle.uidMappings = MAPPINGS;
        bundle.gidMappings = MAPPINGS;
        try (var files = Files.walk(bundle.rootfs)) {
            for (Path file : files.toList()) chown(file);
        }
        return bundle;
    }

    private static void chown(Path file) throws IOException {
        Files.setAttribute(file, "unix:uid", SHIFT, LinkOption.NOFOLLOW_LINKS);
        Files.setAttribute(file, "unix:gid", SHIFT, LinkOption.NOFOLLOW_LINKS);
    }

    private String out(String script) throws Exception {
        var ended = fixture.run(bundle.script(script));
        assertEquals(0, ended.code(), ended.toString());
        return ended.out();
    }

    /// What runc shows of the same bundle.
    private String outOfRunc(String script) throws Exception {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/sbin/runc")), "needs runc");
        String id = fixture.newId();
        Path config = bundle.script(script).write(RuntimeFixture.cgroupsPath(id));
        Path out = folder.resolve(id + ".out");
        Process runc = new ProcessBuilder("runc", "--root", folder.resolve("runc").toString(), "run", "-b", config.toString(), id)
                .redirectInput(new java.io.File("/dev/null"))
                .redirectErrorStream(true)
                .redirectOutput(out.toFile())
                .start();
        assertEquals(0, runc.waitFor(), () -> read(out));
        return read(out);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Test
    void rootInsideIsTheMappedUserOutside() throws Exception {
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            var process = fixture.runtime.create(id, bundle.running("sleep", "60").write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
            try (PidFd pidFd = process.pidFd()) {
                fixture.runtime.start(id);
                String status = Files.readString(Path.of("/proc/" + pidFd.pid() + "/status"));
                assertTrue(status.contains("Uid:\t200000\t200000\t200000\t200000\n"), status);
                assertTrue(status.contains("Gid:\t200000\t200000\t200000\t200000\n"), status);
                pidFd.signal(9);
                streams.await(pidFd);
            }
        }
        assertEquals("0\n0\n0\n", out("id -u; id -g; id -G"));
    }

    /// Everything a program can look at that depends on whose root it is.
    @Test
    void itSeesWhatItWouldSeeUnderRunc() throws Exception {
        // Cgroups are named for the container.
        for (String script : List.of(
                "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups",
                "grep -e Cap -e Seccomp -e NoNew -e Uid -e Gid -e Groups /proc/self/status",
                "stat -c '%n %u:%g %a' / /bin /bin/busybox /proc /proc/self /proc/sys /sys /dev /dev/[!m]* /dev/pts/ptmx",
                "stat -c '%u %a' /dev/mqueue", // its group is nobody under runc, which makes it before it has a group
                "ls -ln /proc/1/ns | grep -v ' .*user' | wc -l; cat /proc/1/oom_score_adj; ulimit -a",
                "touch /x /tmp/y /dev/z && stat -c '%n %u:%g %a' /x /tmp/y /dev/z && rm /x")) {
            assertEquals(outOfRunc(script), out(script), script);
        }
    }

    @Test
    void itsMountsAreThoseRuncMakes() throws Exception {
        // mountinfo without numbers, and without what names the container
        String script = "while read -r _ _ _ root point options rest; do echo $point $options ${rest#*- }; done < /proc/self/mountinfo"
                + " | grep -v -e '^/ ' -e cgroup | sort";
        assertEquals(outOfRunc(script), out(script));
    }

    @Test
    void everyOtherNamespaceBelongsToIt() throws Exception {
        // Each needs a right in the namespace's own user namespace; none is left over the host's.
        bundle.capabilities = new java.util.ArrayList<>(Bundle.DEFAULT_CAPABILITIES);
        bundle.capabilities.addAll(List.of("CAP_SYS_ADMIN", "CAP_NET_ADMIN"));
        assertEquals("changed\n", out("hostname changed && hostname"));
        assertEquals("mounted\n", out("mount -t tmpfs none /tmp && mount -t proc none /tmp && mount -t mqueue none /tmp && echo mounted"));
        assertEquals("up\n", out("ip link set lo down && ip link set lo up && ip link add d0 type dummy; ip link set lo up && echo up"));
    }

    @Test
    void rootInsideHasNoPowerOverTheHost() throws Exception {
        Path secret = Files.writeString(folder.resolve("secret"), "x");
        Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
        bundle.mounts.add(new RuntimeSpec.Mount("/tmp", "bind", folder.toString(), List.of("rbind")));
        for (String forbidden : List.of(
                "cat /tmp/secret",
                "chown 0 /tmp/secret",
                "mknod /tmp/null c 1 3",
                "echo 1 > /proc/sys/kernel/panic",
                "echo -500 > /proc/self/oom_score_adj",
                "mkdir /sys/fs/cgroup/memory/mine")) {
            assertNotEquals(0, fixture.run(bundle.script(forbidden)).code(), forbidden);
        }
    }

    @Test
    void readOnlyMountsStaySoWhateverRightsItHasInside() throws Exception {
        bundle.capabilities = new java.util.ArrayList<>(Bundle.DEFAULT_CAPABILITIES);
        bundle.capabilities.add("CAP_SYS_ADMIN");
        bundle.mounts.add(new RuntimeSpec.Mount("/tmp", "bind", folder.toString(), List.of("rbind", "ro")));
        assertEquals("ro\n", out("touch /tmp/x 2>/dev/null || echo ro"));
    }

    @Test
    void aFolderOnlyRootCanReachCanBeBound() throws Exception {
        Path closed = Files.createDirectory(folder.resolve("closed"));
        Path given = Files.createDirectory(closed.resolve("given"));
        chown(Files.writeString(given.resolve("file"), "content"));
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));
        bundle.mounts.add(new RuntimeSpec.Mount("/tmp", "bind", given.toString(), List.of("rbind", "ro")));
        assertEquals("content 0", out("cat /tmp/file; stat -c ' %u' /tmp/file").trim());
    }

    @Test
    void aFlagOfTheHostsMountIsKeptWhenItIsBoundReadOnly() throws Exception {
        Path strict = Files.createDirectory(folder.resolve("strict"));
        Assumptions.assumeTrue(new ProcessBuilder("mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec", "none", strict.toString()).start().waitFor() == 0);
        try {
            bundle.mounts.add(new RuntimeSpec.Mount("/tmp", "bind", strict.toString(), List.of("rbind", "ro")));
            assertEquals("ro,nosuid,nodev,noexec", out("grep ' /tmp ' /proc/mounts").split(" ")[3].replace(",relatime", "").split(",size")[0]);
        } finally {
            new ProcessBuilder("umount", strict.toString()).start().waitFor();
        }
    }

    @Test
    void itsOutputCanBeOpenedAgain() throws Exception {
        String id = fixture.newId();
        Path written = bundle.script("echo one > /dev/stdout; echo two > /dev/stderr").write(RuntimeFixture.cgroupsPath(id));
        Pipe out = Pipe.open();
        try (var in = Fd.openNull(); var ours = out.readEnd(); var childs = out.writeEnd()) {
            var process = fixture.runtime.create(id, written, new StandardStreams.Pipes(in, childs, childs));
            try (PidFd pidFd = process.pidFd()) {
                fixture.runtime.start(id);
                assertEquals(0, pidFd.awaitEnd());
            }
            byte[] buffer = new byte[100];
            assertEquals("one\ntwo\n", new String(buffer, 0, ours.read(buffer)));
        }
    }

    @Test
    void itHasTheLimitsItWasGiven() throws Exception {
        bundle.rlimits = List.of(new RuntimeSpec.Rlimit("RLIMIT_NOFILE", 100, 200), new RuntimeSpec.Rlimit("RLIMIT_CORE", 0, 0));
        assertEquals("100\n200\n0\n", out("ulimit -Sn; ulimit -Hn; ulimit -Hc"));
    }

    @Test
    void limitsMayBeRaisedForIt() throws Exception {
        String own = Files.readString(Path.of("/proc/self/status"));
        long rights = Long.parseUnsignedLong(own.substring(own.indexOf("CapEff:") + 7, own.indexOf("CapBnd:")).trim(), 16);
        Assumptions.assumeTrue((rights & 1L << 24) != 0, "needs CAP_SYS_RESOURCE");
        long higher = 2_000_000;
        bundle.rlimits = List.of(new RuntimeSpec.Rlimit("RLIMIT_MEMLOCK", higher * 1024, -1));
        assertEquals("2000000\nunlimited\n", out("ulimit -Sl; ulimit -Hl"));
    }

    @Test
    void aUserInsideIsShiftedToo() throws Exception {
        bundle.user = new RuntimeSpec.User(1000, 1001, null, List.of(5, 1002));
        assertEquals("1000 1001 1001 5 1002\n", out("echo $(id -u) $(id -g) $(id -G)"));
        assertEquals("0000000000000000\n", out("grep CapEff /proc/self/status | grep -o '0.*'"));
    }

    @Test
    void devicesAreTheHostsOwn() throws Exception {
        bundle.devices = List.of(new RuntimeSpec.Device("/dev/fuse", "c", 10, 229, 0666, 0, 7));
        Assumptions.assumeTrue(Files.exists(Path.of("/dev/fuse")), "needs /dev/fuse");
        assertEquals("a e5\n", out("echo $(stat -c '%t %T' /dev/fuse)"));
        assertEquals("4\n", out("head -c 4 /dev/zero | wc -c"));
    }

    @Test
    void aTerminalBelongsToTheUserInside() throws Exception {
        bundle.terminal = true;
        bundle.script("stat -c '%u %g' $(tty); echo x > /dev/console");
        String id = fixture.newId();
        var process = fixture.runtime.create(id, bundle.write(RuntimeFixture.cgroupsPath(id)), new StandardStreams.Terminal(0, 0));
        try (PidFd pidFd = process.pidFd(); Fd master = process.terminal().orElseThrow()) {
            fixture.runtime.start(id);
            byte[] buffer = new byte[100];
            var text = new StringBuilder();
            while (text.indexOf("x") < 0) text.append(new String(buffer, 0, master.read(buffer)));
            pidFd.awaitEnd();
            assertEquals("0 5\r\nx", text.toString().trim());
        }
    }

    @Test
    void anExecIsInItToo() throws Exception {
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            var process = fixture.runtime.create(id, bundle.running("sleep", "60").write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
            try (PidFd pidFd = process.pidFd()) {
                fixture.runtime.start(id);
                String script = "id -u; readlink /proc/self/ns/user; cat /proc/1/environ >/dev/null && grep CapEff /proc/self/status";
                var ended = fixture.exec(id, bundle.process("sh", "-c", script));
                String users = Files.readSymbolicLink(Path.of("/proc/" + pidFd.pid() + "/ns/user")).toString();
                assertEquals("0\n" + users + "\nCapEff:\t00000000a80425fb\n", ended.out(), ended.toString());

                // A runtime that did not make it finds that out by itself.
                var later = new OciRuntime(fixture.stateRoot);
                try (var again = fixture.new Streams(); var other = later.exec(id, bundle.process("id", "-u"), again.pipes()).pidFd()) {
                    assertEquals("0\n", again.await(other).out());
                }
                pidFd.signal(9);
                streams.await(pidFd);
            }
        }
    }

    /// As a container of Docker's that shares another's network does.
    @Test
    void anotherContainerCanJoinItAndHaveNamespacesThatBelongToIt() throws Exception {
        String donor = fixture.newId();
        try (var streams = fixture.new Streams()) {
            var process = fixture.runtime.create(
                    donor, bundle.running("sleep", "60").write(RuntimeFixture.cgroupsPath(donor)), streams.pipes());
            try (PidFd pidFd = process.pidFd()) {
                fixture.runtime.start(donor);
                for (List<String> shared : List.of(List.of("network"), List.of("ipc"), List.of("pid"), List.of("network", "ipc", "pid"), List.<String>of())) {
                    var guest = remapped();
                    guest.capabilities = new java.util.ArrayList<>(Bundle.DEFAULT_CAPABILITIES);
                    guest.capabilities.add("CAP_SYS_ADMIN");
                    for (String type : List.of("user", "network", "ipc", "pid")) {
                        if (!type.equals("user") && !shared.contains(type)) continue;
                        String name = type.equals("network") ? "net" : type;
                        guest.namespaces.removeIf(n -> n.type().equals(type));
                        guest.namespaces.add(new RuntimeSpec.Namespace(type, "/proc/" + pidFd.pid() + "/ns/" + name));
                    }
                    var ended = fixture.run(guest.script(
                            "for n in user net ipc pid mnt uts; do readlink /proc/self/ns/$n; done; id -u; hostname other && mount -t proc none /proc && echo $$"));
                    String[] lines = ended.out().split("\n");
                    assertEquals(0, ended.code(), shared + ": " + ended);
                    String[] names = {"user", "net", "ipc", "pid", "mnt", "uts"};
                    for (int i = 0; i < names.length; i++) {
                        String donors = Files.readSymbolicLink(Path.of("/proc/" + pidFd.pid() + "/ns/" + names[i])).toString();
                        boolean same = names[i].equals("user") || shared.contains(names[i].equals("net") ? "network" : names[i]);
                        assertEquals(same, donors.equals(lines[i]), shared + " " + names[i] + " " + ended);
                    }
                    assertEquals("0", lines[6]);
                    assertEquals(!shared.contains("pid"), lines[7].equals("1"), ended.toString());
                }
                pidFd.signal(9);
                streams.await(pidFd);
            }
        }
    }

    /// runc joins as root, and only then leaves its users.
    @Test
    void aNamespaceOfTheHostsCanBeJoinedWithUsersOfItsOwn() throws Exception {
        bundle.namespaces.removeIf(n -> n.type().equals("network") || n.type().equals("uts"));
        bundle.namespaces.add(new RuntimeSpec.Namespace("network", "/proc/self/ns/net"));
        bundle.hostname = null;
        bundle.mounts.removeIf(mount -> mount.destination().equals("/sys") || mount.destination().startsWith("/sys/"));
        bundle.maskedPaths = bundle.maskedPaths.stream().filter(path -> !path.startsWith("/sys")).toList();
        assertEquals(Files.readSymbolicLink(Path.of("/proc/self/ns/net")) + "\n1\n", out("readlink /proc/self/ns/net; echo $$"));
    }

    @Test
    void hooksInsideRunAsItsRoot() throws Exception {
        bundle.hooks = new RuntimeSpec.Hooks(
                null, null, List.of(new RuntimeSpec.Hook("/bin/sh", List.of("sh", "-c", "id -u > " + bundle.rootfs + "/tmp/hook"), List.of(), null)), null, null, null);
        assertEquals("0\n0\n", out("cat /tmp/hook; stat -c %u /tmp/hook"));
    }

    @Test
    void mappingsMustFitTheNamespace() throws Exception {
        bundle.uidMappings = null;
        assertEquals("User namespaces enabled, but no uid mappings found.", refused());
        bundle.uidMappings = MAPPINGS;
        bundle.gidMappings = List.of();
        assertEquals("User namespaces enabled, but no gid mappings found.", refused());
        bundle.gidMappings = MAPPINGS;
        bundle.namespaces.removeIf(n -> n.type().equals("user"));
        assertEquals("User namespace mappings specified, but USER namespace isn't enabled in the config", refused());
    }

    /// Overlapping ranges, which only the kernel finds out: the waiting child must not be left behind.
    @Test
    void mappingsTheKernelRefusesLeaveNothingBehind() throws Exception {
        bundle.uidMappings = List.of(new RuntimeSpec.IdMapping(0, SHIFT, 10), new RuntimeSpec.IdMapping(5, SHIFT + 100, 10));
        var before = ProcessHandle.current().children().toList();
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            Path written = bundle.write(RuntimeFixture.cgroupsPath(id));
            assertThrows(IOException.class, () -> fixture.runtime.create(id, written, streams.pipes()));
        }
        assertTrue(Files.notExists(fixture.stateRoot.resolve(id)));
        assertTrue(ProcessHandle.current().children().allMatch(before::contains));
    }

    private String refused() throws Exception {
        return assertThrows(IOException.class, () -> fixture.run(bundle.running("true"))).getMessage();
    }
}
