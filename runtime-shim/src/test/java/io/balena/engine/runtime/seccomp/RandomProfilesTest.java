package io.balena.engine.runtime.seccomp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.spec.RuntimeSpec.SyscallRule;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Profiles nobody would write: their programs and their rules say the same, on every architecture.
class RandomProfilesTest {
    private static final List<String> ARCHITECTURES =
            List.of("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_S390X");
    private static final List<String> ACTIONS = List.of("SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS",
            "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_LOG", "SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW");
    private static final List<String> OPERATORS = List.of("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ");
    private static final List<String> NAMES = new ArrayList<>(List.of("read", "write", "open", "close", "acct", "clone", "clone3", "mmap",
            "mmap2", "stat", "faccessat2", "cacheflush", "set_tls", "breakpoint", "arch_prctl", "getpid", "no_such_call", "futex_waitv"));

    static {
        NAMES.addAll(ProfileEvaluation.MULTIPLEXED);
    }

    private final SyscallNumbers numbers = SyscallNumbers.load();

    @Test
    void programsSayWhatRulesSay() throws Exception {
        int compared = 0;
        for (int seed = 0; seed < 300; seed++) {
            var random = new Random(seed);
            var profile = profile(random);
            byte[] code;
            try {
                code = new SeccompCompiler(profile, numbers).compile();
            } catch (ContainerFailure contradiction) {
                assertTrue(contradiction.getMessage().endsWith("file exists"), contradiction::getMessage);
                continue;
            }
            var machine = new BpfMachine(code);
            var rules = new ProfileEvaluation(profile, numbers);
            for (var architecture : Architecture.values()) {
                for (int number : numbersToTry(profile, architecture, random)) {
                    for (int i = 0; i < 8; i++) {
                        long[] arguments = random.longs(6, -2, 9).map(v -> v == 8 ? random.nextLong() : v == 7 ? 1L << 32 | 1 : v).toArray();
                        int seedOf = seed;
                        assertEquals(rules.action(architecture.audit, number, arguments),
                                machine.run(number, architecture.audit, arguments).action(),
                                () -> "seed " + seedOf + " " + architecture + " " + number + " " + List.of(arguments[0], arguments[1]) + " " + profile);
                        compared++;
                    }
                }
            }
        }
        assertTrue(compared > 100_000, () -> "too many profiles contradict themselves");
    }

    private List<Integer> numbersToTry(Seccomp profile, Architecture architecture, Random random) {
        List<Integer> all = new ArrayList<>(List.of(0, 1, 500, 0xF0000, 0xF0006, Architecture.X32_BIT, Architecture.X32_BIT + 999, -1, -2,
                Architecture.X32_BIT - 1, random.nextInt(450), random.nextInt()));
        for (var rule : profile.syscalls()) {
            for (String name : rule.names()) {
                int number = numbers.of(name, architecture);
                if (number >= 0) all.addAll(List.of(number, number + 1));
            }
        }
        if (architecture == Architecture.X86) all.addAll(List.of(numbers.of("socketcall", architecture), numbers.of("ipc", architecture)));
        return all;
    }

    private static Seccomp profile(Random random) {
        List<SyscallRule> rules = new ArrayList<>();
        for (int i = random.nextInt(12); i >= 0; i--) {
            List<String> names = new ArrayList<>();
            for (int n = random.nextInt(3); n >= 0; n--) names.add(NAMES.get(random.nextInt(NAMES.size())));
            List<ArgumentCondition> conditions = new ArrayList<>();
            for (int c = random.nextInt(4); c > 0; c--) conditions.add(condition(random));
            rules.add(new SyscallRule(names, oneOf(ACTIONS, random), random.nextBoolean() ? random.nextInt(100) : null, conditions));
        }
        List<String> architectures = new ArrayList<>();
        for (String name : ARCHITECTURES) if (random.nextBoolean()) architectures.add(name);
        return new Seccomp(oneOf(ACTIONS, random), null, architectures, null, rules);
    }

    private static ArgumentCondition condition(Random random) {
        long value = random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(5) == 0 ? -1 : random.nextLong(0, 9);
        return new ArgumentCondition(random.nextInt(3), value, random.nextLong(0, 9), "SCMP_CMP_" + oneOf(OPERATORS, random));
    }

    private static String oneOf(List<String> all, Random random) {
        return all.get(random.nextInt(all.size()));
    }
}
