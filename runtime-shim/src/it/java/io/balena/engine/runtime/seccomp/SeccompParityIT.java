package io.balena.engine.runtime.seccomp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.container.RuntimeFixture;
import io.balena.engine.runtime.spec.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.spec.RuntimeSpec.SyscallRule;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// The same profile under runc, which uses libseccomp, and under our runtime: the kernel is asked for the program each has loaded, and
/// both give the same answer for every call of every architecture.
@Timeout(120)
class SeccompParityIT {
    private static final Path RUNC = Path.of("/usr/sbin/runc");
    private static final int S390X = 0x80000016;

    private static final List<String> ALL_ARCHITECTURES =
            List.of("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM");

    /// What runc itself needs once its filter is loaded, and sleep.
    private static final String[] NEEDED = ("read write openat close fstat mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn "
            + "nanosleep clock_nanosleep execve exit_group futex capset capget setuid setgid setgroups prctl set_tid_address arch_prctl getpid "
            + "fcntl epoll_ctl epoll_pwait tgkill gettid sigaltstack sched_yield madvise getuid geteuid getgid getegid newfstatat setresuid "
            + "setresgid chdir getcwd fchdir access umask ioctl getdents64 readlinkat statfs fstatfs faccessat faccessat2 clone lseek dup3 "
            + "getppid prlimit64 getrandom pipe2 poll pread64 epoll_create1 eventfd2 stat lstat open setsid kill wait4 keyctl readlink uname "
            + "rseq set_robust_list close_range unlinkat fchmod fchown fchownat sched_getaffinity getrlimit dup2 dup").split(" ");

    @TempDir
    Path folder;

    private RuntimeFixture fixture;
    private final SyscallNumbers numbers = SyscallNumbers.load();

    @BeforeEach
    void open() {
        assumeTrue(Files.isExecutable(RUNC), "needs runc");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/python3")), "needs python3");
        fixture = new RuntimeFixture(folder);
    }

    @AfterEach
    void close() throws Exception {
        if (fixture != null) fixture.close();
    }

    private static Seccomp allowingAllBut(SyscallRule... rules) {
        return new Seccomp("SCMP_ACT_ALLOW", null, ALL_ARCHITECTURES, null, List.of(rules));
    }

    private static Seccomp refusingAllBut(String defaultAction, Integer errno, SyscallRule... rules) {
        List<SyscallRule> all = new ArrayList<>(List.of(new SyscallRule(List.of(NEEDED), "SCMP_ACT_ALLOW", null, null)));
        all.addAll(List.of(rules));
        return new Seccomp(defaultAction, errno, ALL_ARCHITECTURES, null, all);
    }

    private static SyscallRule fail(int errno, String name, ArgumentCondition... conditions) {
        return new SyscallRule(List.of(name), "SCMP_ACT_ERRNO", errno, List.of(conditions));
    }

    private static SyscallRule rule(String action, String name) {
        return new SyscallRule(List.of(name), "SCMP_ACT_" + action, null, null);
    }

    private static ArgumentCondition when(int index, String op, long value) {
        return new ArgumentCondition(index, value, 0, "SCMP_CMP_" + op);
    }

    private static ArgumentCondition masked(int index, long mask, long value) {
        return new ArgumentCondition(index, mask, value, "SCMP_CMP_MASKED_EQ");
    }

    static Stream<Arguments> profiles() {
        long large = 0x500000005L;
        return Stream.of(
                argumentSet("all actions", allowingAllBut(rule("LOG", "acct"), rule("TRAP", "mkdir"), rule("KILL", "rmdir"),
                        rule("KILL_THREAD", "swapon"), rule("KILL_PROCESS", "swapoff"), rule("TRACE", "link"), fail(0, "chroot"),
                        fail(4094, "pivot_root"), rule("ALLOW", "mount"))),
                argumentSet("every operator", allowingAllBut(fail(2, "acct", when(0, "EQ", 5)), fail(3, "mkdir", when(1, "NE", 5)),
                        fail(4, "rmdir", when(2, "LT", 5)), fail(5, "chroot", when(3, "LE", 5)), fail(6, "swapon", when(4, "GT", 5)),
                        fail(7, "swapoff", when(5, "GE", 5)), fail(8, "link", masked(0, 0xf, 5)))),
                argumentSet("every operator on both halves", allowingAllBut(fail(2, "acct", when(0, "EQ", large)),
                        fail(3, "mkdir", when(1, "NE", large)), fail(4, "rmdir", when(2, "LT", large)), fail(5, "chroot", when(3, "LE", large)),
                        fail(6, "swapon", when(4, "GT", large)), fail(7, "swapoff", when(5, "GE", large)),
                        fail(8, "link", masked(0, 0xf0000000fL, large)))),
                argumentSet("values beyond their mask", allowingAllBut(fail(8, "link", masked(0, 0xf, 0x1f)))),
                argumentSet("all of several conditions", allowingAllBut(
                        fail(2, "acct", when(2, "EQ", 1), when(0, "GT", 3), when(1, "LT", large)))),
                argumentSet("one of several about the same argument", allowingAllBut(
                        fail(2, "acct", when(0, "EQ", 1), when(0, "EQ", 2), when(1, "EQ", 3)))),
                argumentSet("several rules about one call", allowingAllBut(fail(2, "acct", when(0, "EQ", 1)), fail(3, "acct", when(0, "EQ", 2)),
                        fail(4, "acct", when(0, "EQ", 7)))),
                argumentSet("conditions before an unconditional rule", allowingAllBut(fail(2, "acct", when(0, "EQ", 1)), fail(3, "acct"))),
                argumentSet("conditions behind an unconditional rule", allowingAllBut(fail(3, "acct"), fail(2, "acct", when(0, "EQ", 1)))),
                argumentSet("two unconditional rules", allowingAllBut(fail(3, "acct"), fail(2, "acct"))),
                argumentSet("multiplexed sockets", allowingAllBut(fail(2, "socket", when(0, "EQ", 38)), fail(3, "recv"),
                        fail(4, "accept4", when(3, "EQ", 2)), fail(5, "bind"))),
                argumentSet("multiplexed sockets beside their way", allowingAllBut(fail(2, "socket"), fail(3, "socketcall"))),
                argumentSet("multiplexed IPC", allowingAllBut(fail(2, "shmat"), fail(3, "semop"), fail(4, "semtimedop_time64"), fail(5, "msgctl"))),
                argumentSet("names nobody knows", allowingAllBut(fail(2, "no_such_call"), fail(3, "acct"))),
                argumentSet("refusing", refusingAllBut("SCMP_ACT_ERRNO", null)),
                argumentSet("refusing with conditions", refusingAllBut("SCMP_ACT_ERRNO", 13,
                        new SyscallRule(List.of("socket", "personality"), "SCMP_ACT_ALLOW", null, List.of(when(0, "LT", 38))),
                        new SyscallRule(List.of("socket"), "SCMP_ACT_ALLOW", null, List.of(when(0, "EQ", 39))),
                        new SyscallRule(List.of("clone3"), "SCMP_ACT_ERRNO", 38, null))),
                argumentSet("refusing as unknown", refusingAllBut("SCMP_ACT_ERRNO", 38)),
                argumentSet("leaving it to a tracer", refusingAllBut("SCMP_ACT_TRACE", null)),
                argumentSet("logging", refusingAllBut("SCMP_ACT_LOG", null, rule("KILL_PROCESS", "acct"))),
                argumentSet("no architectures", new Seccomp("SCMP_ACT_ALLOW", null, null, null, List.of(fail(2, "acct")))),
                argumentSet("one of another architecture", new Seccomp("SCMP_ACT_ALLOW", null, List.of("SCMP_ARCH_ARM"), null,
                        List.of(fail(2, "acct")))),
                argumentSet("only x32 named", new Seccomp("SCMP_ACT_ALLOW", null, List.of("SCMP_ARCH_X32"), null, List.of(fail(2, "acct")))),
                argumentSet("Debian's default for containers", debians()));
    }

    private static Seccomp debians() {
        Path file = Path.of("/usr/share/containers/seccomp.json");
        try {
            if (!Files.exists(file)) return allowingAllBut(fail(1, "acct"));
            List<SyscallRule> rules = new ArrayList<>();
            for (JsonNode rule : new ObjectMapper().readTree(file.toFile()).get("syscalls")) {
                if (rule.path("includes").has("caps") || rule.path("includes").has("arches") && !rule.toString().contains("amd64")) continue;
                List<String> names = new ArrayList<>();
                // The private calls of ARM are treated in another way here: see SeccompFilterTest.
                rule.get("names").forEach(name -> names.add(name.asText()));
                names.removeAll(List.of("breakpoint", "cacheflush", "set_tls", "usr26", "usr32"));
                List<ArgumentCondition> args = new ArrayList<>();
                for (JsonNode arg : rule.path("args")) {
                    args.add(new ArgumentCondition(arg.get("index").asInt(), arg.get("value").asLong(), arg.path("valueTwo").asLong(),
                            arg.get("op").asText()));
                }
                Integer errno = rule.hasNonNull("errnoRet") ? rule.get("errnoRet").asInt() : null;
                rules.add(new SyscallRule(names, rule.get("action").asText(), errno, args));
            }
            return new Seccomp("SCMP_ACT_ERRNO", 1, ALL_ARCHITECTURES, null, rules);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @MethodSource("profiles")
    void aProfileHasTheEffectItHasUnderRunc(Seccomp profile) throws Exception {
        var theirs = underRunc(profile);
        var ours = underOurs(profile);
        int compared = 0;
        List<String> differences = new ArrayList<>();
        for (var architecture : Architecture.values()) {
            Set<Integer> conditional = conditional(profile, architecture);
            for (int number : calls(architecture)) {
                for (long[] arguments : arguments(profile, conditional.contains(number))) {
                    compare(theirs, ours, architecture.audit, number, arguments, differences);
                    compared++;
                }
            }
        }
        compare(theirs, ours, S390X, 4, new long[6], differences);
        assertTrue(differences.isEmpty(), () -> differences.size() + " differences: " + differences.subList(0, Math.min(20, differences.size())));
        assertTrue(compared > 3000);
        assertTrue(ours.instructions() <= 1500, () -> "instructions: " + ours.instructions() + ", runc's: " + theirs.instructions());
    }

    private static void compare(BpfMachine theirs, BpfMachine ours, int audit, int number, long[] arguments, List<String> differences) {
        int expected = theirs.run(number, audit, arguments).action();
        int actual = ours.run(number, audit, arguments).action();
        if (expected == actual) return;
        differences.add("%x call %d(%x, %x, %x, %x, %x, %x): runc %x, ours %x".formatted(audit, number, arguments[0], arguments[1], arguments[2],
                arguments[3], arguments[4], arguments[5], expected, actual));
    }

    private static List<Integer> calls(Architecture architecture) {
        List<Integer> all = new ArrayList<>(List.of(-1));
        int first = architecture == Architecture.X32 ? Architecture.X32_BIT : 0;
        for (int i = 0; i <= 600; i++) all.add(first + i);
        switch (architecture) {
            case ARM -> {
                for (int i = 0; i < 8; i++) all.add(0xF0000 + i);
            }
            case X86_64 -> all.addAll(List.of(Architecture.X32_BIT - 1, Architecture.X32_BIT, Architecture.X32_BIT + 600));
            default -> {}
        }
        return all;
    }

    private Set<Integer> conditional(Seccomp profile, Architecture architecture) {
        Set<Integer> all = new HashSet<>();
        for (var rule : profile.syscalls()) {
            for (String name : rule.names()) if (!rule.args().isEmpty()) all.add(numbers.of(name, architecture));
        }
        if (architecture == Architecture.X86) all.addAll(List.of(numbers.of("socketcall", architecture), numbers.of("ipc", architecture)));
        return all;
    }

    /// Around the values that conditions name.
    private static List<long[]> arguments(Seccomp profile, boolean conditional) {
        if (!conditional) return List.of(new long[6]);
        List<Long> values = new ArrayList<>(List.of(0L, -1L, 0xffffffffL, 1L << 32));
        for (long i = 1; i <= 24; i++) values.add(i);
        for (var rule : profile.syscalls()) {
            for (var condition : rule.args()) {
                for (long value : new long[] {condition.value(), condition.valueTwo()}) {
                    values.addAll(List.of(value - 1, value, value + 1, value ^ 1L << 32, value & 0xffffffffL));
                }
            }
        }
        var random = new Random(1);
        List<long[]> all = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            long[] each = new long[6];
            for (int a = 0; a < 6; a++) each[a] = values.get(random.nextInt(values.size()));
            all.add(each);
        }
        for (long value : values) all.add(new long[] {value, value, value, value, value, value});
        return all;
    }

    private BpfMachine underOurs(Seccomp profile) throws Exception {
        var bundle = fixture.bundle().running("sleep", "1000");
        bundle.seccomp = profile;
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            var process = fixture.runtime.create(id, bundle.write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
            try (var pidFd = process.pidFd()) {
                try {
                    fixture.runtime.start(id);
                    return LoadedFilter.of(pidFd.pid());
                } finally {
                    pidFd.signal(9);
                    pidFd.awaitEnd();
                }
            } finally {
                fixture.runtime.delete(id);
            }
        }
    }

    private BpfMachine underRunc(Seccomp profile) throws Exception {
        var bundle = fixture.bundle().running("sleep", "1000");
        bundle.seccomp = profile;
        String id = fixture.newId();
        Path written = bundle.write(RuntimeFixture.cgroupsPath(id));
        try {
            runc("run", "-d", "-b", written.toString(), id);
            return LoadedFilter.of(new ObjectMapper().readTree(runc("state", id)).get("pid").asLong());
        } finally {
            runc("delete", "-f", id);
        }
    }

    private String runc(String... words) throws Exception {
        List<String> command = new ArrayList<>(List.of(RUNC.toString(), "--root", folder.resolve("runc").toString()));
        command.addAll(List.of(words));
        // Into a file: a container in the background would keep a pipe open.
        Path out = Files.createTempFile(folder, "runc", "");
        var process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile()).redirectInput(Path.of("/dev/null").toFile()).start();
        int code = process.waitFor();
        String text = Files.readString(out, StandardCharsets.UTF_8);
        assertEquals(0, code, String.join(" ", command) + ": " + text);
        return text;
    }
}
