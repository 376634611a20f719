package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What containers are told about their security, from the command line to the kernel.
@ExtendWith(SharedEngine.class)
class SecurityOptionsIT {
    private static final String FORBIDS_MKDIR = """
            {"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]},
              {"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]}],
             "syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28,"excludes":{"caps":["CAP_SYS_ADMIN"]}},
                         {"name":"symlink","action":"SCMP_ACT_ERRNO","errnoRet":39,"includes":{"minKernel":"4.8"}},
                         {"name":"symlinkat","action":"SCMP_ACT_ERRNO","errnoRet":39,"includes":{"minKernel":"4.8"}},
                         {"name":"link","action":"SCMP_ACT_KILL","includes":{"minKernel":"99.0"}},
                         {"name":"kill","action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]}]}
            """;

    private Engine engine;
    private DockerCli docker;

    @BeforeEach void use(Engine shared) {
        engine = shared;
        docker = shared.docker();
    }

    private Outcome sh(String script, String... options) {
        return docker.command("run", "--rm", "--network", "none").and(options).and(BusyboxImage.NAME, "sh", "-c", script).run();
    }

    private String profile(String json) throws IOException {
        return "seccomp=" + Files.writeString(engine.scratch().resolve("profile.json"), json);
    }

    @Test void aProfileOfTheUsersOwnIsApplied() throws IOException {
        String own = profile(FORBIDS_MKDIR);
        assertTrue(sh("mkdir /x", "--security-opt", own).err().contains("No space left on device"));
        assertTrue(sh("ln -s a /b", "--security-opt", own).err().contains("Directory not empty"));
        assertEquals("", sh("kill -0 1; touch a; ln a b", "--security-opt", own).succeeded());
        assertTrue(sh("kill -10 1", "--security-opt", own).err().contains("Operation not permitted"));
        sh("mkdir /x", "--security-opt", own, "--cap-add", "SYS_ADMIN").succeeded();
        try (var container = docker.background("--network", "none", "--security-opt", own, BusyboxImage.NAME, "sleep", "1000")) {
            assertTrue(container.exec("mkdir", "/x").err().contains("No space left on device"), "an exec is filtered as its container");
        }
    }

    @Test void aLargeProfileIsApplied() throws IOException {
        var comment = "x".repeat(500_000);
        String own = profile(FORBIDS_MKDIR.replace("\"defaultAction\"", "\"comment\":\"" + comment + "\",\"defaultAction\""));
        assertTrue(sh("mkdir /x", "--security-opt", own).err().contains("No space left on device"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            {"defaultAction":"SCMP_ACT_BOO"} | string SCMP_ACT_BOO is not a valid action for seccomp
            {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_FOO"]} | string SCMP_ARCH_FOO is not a valid arch for seccomp
            {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"acct","names":["read"],"action":"SCMP_ACT_ERRNO"}]} | 'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'
            {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[""],"action":"SCMP_ACT_ERRNO"}]} | empty string is not a valid syscall
            {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"acct","action":"SCMP_ACT_ERRNO","args":[{"index":0,"op":"SCMP_CMP_X"}]}]} | string SCMP_CMP_X is not a valid operator for seccomp
            {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"acct","action":"SCMP_ACT_ERRNO","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]} | syscalls only have up to 6 arguments (6 given)
            {"defaultAction":"SCMP_ACT_NOTIFY"} | SCMP_ACT_NOTIFY cannot be used as default action
            {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["acct"],"includes":{"minKernel":"4"}}]} | Decoding seccomp profile failed: invalid kernel version: "4", expected "<kernel>.<major>"
            {"defaultAction":5} | Decoding seccomp profile failed: json: cannot unmarshal number into Go struct field Seccomp.defaultAction of type specs.LinuxSeccompAction
            """)
    void aProfileThatMakesNoSenseIsRefusedAtStartAndLeavesNothing(String json, String message) throws IOException {
        String id = docker.run("create", "--network", "none", "--security-opt", profile(json), BusyboxImage.NAME, "true").succeeded();
        try {
            var outcome = docker.run("start", id);
            assertTrue(outcome.status() != 0 && outcome.err().contains(message), outcome::toString);
            assertEquals("created 128", docker.run("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", id).succeeded());
            assertFalse(Files.readString(Path.of("/proc/self/mountinfo")).contains(id), "a mount is left");
            assertEquals("", Command.of("find", "/sys/fs/cgroup", "-name", id).run().out());
        } finally {
            docker.run("rm", "-f", id).succeeded();
        }
    }

    @Test void everyCapabilityCanBeAddedAndDroppedAlone() throws IOException {
        String held = Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("CapBnd:")).findFirst().orElseThrow();
        long mine = Long.parseUnsignedLong(held.substring(7).trim(), 16);
        List<String> names = List.of("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
                "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO",
                "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
                "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND",
                "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE");
        List<String> wrong = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            if ((mine >>> i & 1) == 0) continue;
            String only = sh("grep CapEff /proc/self/status | cut -f2", "--cap-drop", "ALL", "--cap-add", names.get(i)).succeeded();
            if (Long.parseUnsignedLong(only, 16) != 1L << i) wrong.add(names.get(i) + " alone is " + only);
        }
        assertEquals(List.of(), wrong);
        for (String all : new String[] {"--privileged", "--cap-add=ALL"}) {
            assertEquals("%016x".formatted(mine), sh("grep CapEff /proc/self/status | cut -f2", all).succeeded(), "all that the engine itself may");
        }
    }

    @Test void aFilterHoldsWhereNoPrivilegesCanBeGained() throws IOException {
        String own = profile(FORBIDS_MKDIR);
        for (String user : new String[] {"root", "web"}) {
            var outcome = sh("grep -E '^NoNewPrivs|^Seccomp:' /proc/self/status | cut -f2; mkdir /tmp/x", "-u", user, "--security-opt", own,
                    "--security-opt", "no-new-privileges:true");
            assertEquals("1\n2\n", outcome.out());
            assertTrue(outcome.err().contains("No space left on device"), outcome::toString);
        }
    }

    @Test void profilesOfAppArmorAreIgnoredWithoutAppArmorAsDockerDoes() {
        org.junit.jupiter.api.Assumptions.assumeFalse(Files.exists(Path.of("/sys/module/apparmor")), "needs a host without AppArmor");
        assertEquals("ran", sh("echo ran", "--security-opt", "apparmor=mine", "--security-opt", "label=disable").succeeded());
        assertFalse(docker.run("info", "-f", "{{.SecurityOptions}}").succeeded().contains("apparmor"));
    }

    @Test void theEnginesOwnProfileIsForContainersThatNameNone() throws IOException {
        Path file = Files.writeString(engine.scratch().resolve("engine.json"), FORBIDS_MKDIR);
        try (var other = Engine.start("--bridge=none", "--seccomp-profile=" + file)) {
            BusyboxImage.importInto(other);
            var run = other.docker().command("run", "--rm", "--network", "none");
            assertTrue(run.and(BusyboxImage.NAME, "mkdir", "/x").run().err().contains("No space left on device"));
            run.and("--security-opt", "seccomp=unconfined", BusyboxImage.NAME, "mkdir", "/x").run().succeeded();
            assertTrue(other.docker().run("info", "-f", "{{.SecurityOptions}}").succeeded().contains("name=seccomp,profile=" + file));
        }
    }
}
