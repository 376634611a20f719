package io.balena.engine.runtime.seccomp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.container.RuntimeFixture;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.spec.RuntimeSpec.SyscallRule;
import io.balena.engine.runtime.container.RuntimeTests;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The kernel accepts the filters and applies them; [SeccompFilterTest] looks at every path through them.
@Timeout(60)
class SeccompIT extends RuntimeTests {
    private static Seccomp allowAllBut(SyscallRule... rules) {
        return new Seccomp(
                "SCMP_ACT_ALLOW",
                null,
                List.of("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
                List.of(),
                List.of(rules));
    }

    private static SyscallRule fail(int errno, List<ArgumentCondition> args, String... names) {
        return new SyscallRule(List.of(names), "SCMP_ACT_ERRNO", errno, args);
    }

    @Test
    void aForbiddenCallFailsWithItsErrnoAndOthersWork() throws Exception {
        bundle.seccomp = allowAllBut(fail(38, List.of(), "uname"));
        var ended = fixture.run(bundle.script("mkdir /tmp/x && echo made; hostname"));
        assertEquals("made\n", ended.out().lines().limit(1).reduce("", (a, b) -> b + "\n"));
        assertTrue(fixture.run(bundle.script("grep Seccomp: /proc/self/status")).out().endsWith("2\n"));
        bundle.seccomp = allowAllBut(fail(13, List.of(), "mkdir", "mkdirat"));
        assertTrue(fixture.run(bundle.script("mkdir /tmp/y")).err().contains("Permission denied"));
    }

    @Test
    void argumentsAreLookedAt() throws Exception {
        // kill(pid, 0) may be called, kill(pid, 10) may not.
        var usr1 = List.of(new ArgumentCondition(1, 10, 0, "SCMP_CMP_EQ"));
        bundle.seccomp = allowAllBut(fail(1, usr1, "kill"));
        assertEquals(0, fixture.run(bundle.script("kill -0 1")).code());
        assertTrue(fixture.run(bundle.script("kill -10 1")).err().contains("Operation not permitted"));
    }

    @Test
    void theFilterIsLoadedWithAndWithoutNewPrivilegesForbiddenAndForAnyUser() throws Exception {
        bundle.seccomp = allowAllBut(fail(13, List.of(), "mkdir", "mkdirat"));
        for (boolean forbidden : new boolean[] {false, true}) {
            for (int uid : new int[] {0, 1000}) {
                bundle.noNewPrivileges = forbidden;
                bundle.user = new RuntimeSpec.User(uid, uid, null, List.of());
                assertTrue(fixture.run(bundle.script("mkdir /dev/shm/y")).err().contains("Permission denied"));
            }
        }
    }

    @Test
    void anExecedProcessIsFilteredAlso() throws Exception {
        bundle.seccomp = allowAllBut(fail(13, List.of(), "mkdir", "mkdirat"));
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            Path written = bundle.running("sleep", "1000").write(RuntimeFixture.cgroupsPath(id));
            var first = fixture.runtime.create(id, written, streams.pipes()).pidFd();
            fixture.runtime.start(id);
            assertTrue(fixture.exec(id, bundle.process("mkdir", "/tmp/y")).err().contains("Permission denied"));
            first.signal(9);
            first.awaitEnd();
        }
    }

    /// Nothing but what a static program needs to say hello: none of what the set-up of a container takes.
    private static Seccomp strict(String otherwise) {
        var needed = List.of("execve", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "mprotect", "prlimit64", "readlink",
                "readlinkat", "getrandom", "getuid", "geteuid", "setuid", "setresuid", "write", "writev", "fstat", "newfstatat", "exit_group",
                "ioctl", "uname", "getgid", "setgid", "setresgid", "mmap", "munmap", "fcntl", "dup2", "dup3", "close");
        return new Seccomp(otherwise, null, List.of(), List.of(), List.of(new SyscallRule(needed, "SCMP_ACT_ALLOW", null, List.of())));
    }

    @Test
    void aStrictFilterIsNoneOfTheRuntimesBusinessIfNoNewPrivilegesCanBeGained() throws Exception {
        bundle.seccomp = strict("SCMP_ACT_ERRNO");
        bundle.noNewPrivileges = true;
        bundle.ambient = List.of("CAP_CHOWN");
        assertEquals("hello\n", fixture.run(bundle.running("echo", "hello")).out());
    }

    @Test
    void aFilterThatForbidsToGiveUpCapabilitiesIsToldByTheCallItForbids() throws Exception {
        bundle.seccomp = strict("SCMP_ACT_ERRNO");
        assertTrue(assertThrows(ContainerFailure.class, () -> fixture.run(bundle.running("echo", "hello"))).getMessage().startsWith("capset"));
        bundle.seccomp = strict("SCMP_ACT_KILL");
        assertEquals("container process was killed while it did: capset",
                assertThrows(ContainerFailure.class, () -> fixture.run(bundle.running("echo", "hello"))).getMessage());
    }

    @Test
    void aCallThatKillsKillsTheThreadOrTheProcess() throws Exception {
        for (String action : List.of("SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP")) {
            bundle.seccomp = allowAllBut(new SyscallRule(List.of("mkdir", "mkdirat"), action, null, List.of()));
            var ended = fixture.run(bundle.script("mkdir /tmp/x; echo $?"));
            assertEquals("159\n", ended.out(), action + " " + ended);
        }
    }

    @Test
    void flagsAreTakenByTheKernel() throws Exception {
        var flags = List.of("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC");
        bundle.seccomp = new Seccomp("SCMP_ACT_ALLOW", null, List.of(), flags, List.of(fail(13, List.of(), "mkdir", "mkdirat")));
        assertTrue(fixture.run(bundle.script("mkdir /tmp/y")).err().contains("Permission denied"));
    }

    @Test
    void aProfileThatMakesNoSenseIsRefused() throws Exception {
        for (var seccomp : List.of(
                new Seccomp("SCMP_ACT_NONSENSE", null, null, null, null),
                new Seccomp("SCMP_ACT_ALLOW", null, null, List.of("FLAG"), null),
                allowAllBut(fail(1, List.of(new ArgumentCondition(0, 0, 0, "SCMP_CMP_ODD")), "read")),
                allowAllBut(fail(1, List.of(new ArgumentCondition(6, 0, 0, "SCMP_CMP_EQ")), "read")))) {
            bundle.seccomp = seccomp;
            assertThrows(ContainerFailure.class, () -> fixture.run(bundle));
        }
    }
}
