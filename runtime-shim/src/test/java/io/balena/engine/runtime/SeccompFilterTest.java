package io.balena.engine.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.RuntimeSpec.SyscallRule;
import io.balena.engine.runtime.SyscallNumbers.Architecture;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Executes filters as the kernel does, and compares with what the profile says.
class SeccompFilterTest {
    private static final int ALLOW = 0x7fff0000;
    private static final int ERRNO = 0x00050000;
    private static final int KILL = 0;
    private static final int EPERM = 1;
    private static final int ENOSYS = 38;

    private static final List<String> ALL_ARCHITECTURES =
            List.of("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM");

    private final SyscallNumbers numbers = SyscallNumbers.load();

    private static int execute(SeccompFilter filter, Architecture architecture, int number, long... arguments) {
        var code = ByteBuffer.wrap(filter.code()).order(ByteOrder.LITTLE_ENDIAN);
        var data = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        data.putInt(0, number).putInt(4, architecture.audit);
        for (int i = 0; i < arguments.length; i++) data.putLong(16 + 8 * i, arguments[i]);
        int accumulator = 0;
        for (int at = 0; ; at++) {
            int operation = code.getShort(at * 8) & 0xffff;
            int ifTrue = code.get(at * 8 + 2) & 0xff;
            int ifFalse = code.get(at * 8 + 3) & 0xff;
            int k = code.getInt(at * 8 + 4);
            switch (operation) {
                case 0x20 -> accumulator = data.getInt(k);
                case 0x54 -> accumulator &= k;
                case 0x05 -> at += k;
                case 0x15 -> at += accumulator == k ? ifTrue : ifFalse;
                case 0x25 -> at += Integer.compareUnsigned(accumulator, k) > 0 ? ifTrue : ifFalse;
                case 0x35 -> at += Integer.compareUnsigned(accumulator, k) >= 0 ? ifTrue : ifFalse;
                case 0x06 -> {
                    return k;
                }
                default -> throw new AssertionError("operation " + operation);
            }
        }
    }

    private static SyscallRule allow(List<ArgumentCondition> args, String... names) {
        return new SyscallRule(List.of(names), "SCMP_ACT_ALLOW", null, args);
    }

    private static Seccomp denyAllBut(SyscallRule... rules) {
        return new Seccomp("SCMP_ACT_ERRNO", null, ALL_ARCHITECTURES, null, List.of(rules));
    }

    @Test
    void everyCallOfEveryArchitectureIsTreatedAsTheProfileSays() throws Exception {
        Path profile = Path.of("/usr/share/containers/seccomp.json");
        assumeTrue(Files.exists(profile), "needs the seccomp profile of Debian's containers-common");
        var seccomp = plainRulesOf(new ObjectMapper().readTree(profile.toFile()));
        var filter = SeccompFilter.of(seccomp);
        assertTrue(filter.code().length / 8 < 1500, "instructions: " + filter.code().length / 8);
        for (var architecture : Architecture.values()) {
            int bit = architecture == Architecture.X32 ? Architecture.X32_BIT : 0;
            int highest = highestNamed(seccomp, architecture);
            for (int number = bit; number <= highest + 10; number++) {
                int expected = number > highest ? ERRNO | ENOSYS : ERRNO | EPERM;
                for (var rule : seccomp.syscalls()) {
                    if (rule.args().isEmpty() && names(rule, number, architecture)) expected = action(rule);
                }
                if (hasConditions(seccomp, number, architecture)) continue;
                assertEquals(expected, execute(filter, architecture, number), architecture + " " + number);
            }
        }
    }

    private static Seccomp plainRulesOf(JsonNode profile) {
        List<SyscallRule> rules = new ArrayList<>();
        for (var node : profile.get("syscalls")) {
            // What depends on capabilities or architecture is decided by the daemon.
            if (!node.path("includes").isEmpty() || !node.path("excludes").isEmpty()) continue;
            List<String> names = new ArrayList<>();
            for (var name : node.get("names")) names.add(name.asText());
            List<ArgumentCondition> args = new ArrayList<>();
            for (var arg : node.path("args")) {
                args.add(new ArgumentCondition(
                        arg.get("index").asInt(), arg.get("value").asLong(), arg.path("valueTwo").asLong(), arg.get("op").asText()));
            }
            Integer errno = node.hasNonNull("errnoRet") ? node.get("errnoRet").asInt() : null;
            rules.add(new SyscallRule(names, node.get("action").asText(), errno, args));
        }
        return new Seccomp("SCMP_ACT_ERRNO", EPERM, ALL_ARCHITECTURES, null, rules);
    }

    private static int action(SyscallRule rule) {
        if (rule.action().equals("SCMP_ACT_ALLOW")) return ALLOW;
        return ERRNO | (rule.errnoRet() == null ? EPERM : rule.errnoRet());
    }

    private boolean names(SyscallRule rule, int number, Architecture architecture) {
        for (String name : rule.names()) {
            if (numbers.of(name, architecture) == number) return true;
        }
        return false;
    }

    private boolean hasConditions(Seccomp seccomp, int number, Architecture architecture) {
        for (var rule : seccomp.syscalls()) {
            if (!rule.args().isEmpty() && names(rule, number, architecture)) return true;
        }
        return false;
    }

    private int highestNamed(Seccomp seccomp, Architecture architecture) {
        int highest = -1;
        for (var rule : seccomp.syscalls()) {
            for (String name : rule.names()) highest = Math.max(highest, numbers.of(name, architecture));
        }
        return highest;
    }

    @Test
    void conditionsCompareAllSixtyFourBits() throws Exception {
        long[] values = {0, 1, 5, 0x7fffffffL, 0x80000000L, 0xffffffffL, 0x100000000L, 0x100000005L, -1, Long.MIN_VALUE};
        int read = numbers.of("read", Architecture.X86_64);
        for (long wanted : values) {
            for (String op : List.of("EQ", "NE", "LT", "LE", "GT", "GE")) {
                var filter = SeccompFilter.of(denyAllBut(
                        allow(List.of(new ArgumentCondition(3, wanted, 0, "SCMP_CMP_" + op)), "read")));
                for (long given : values) {
                    int order = Long.compareUnsigned(given, wanted);
                    boolean holds = switch (op) {
                        case "EQ" -> order == 0;
                        case "NE" -> order != 0;
                        case "LT" -> order < 0;
                        case "LE" -> order <= 0;
                        case "GT" -> order > 0;
                        default -> order >= 0;
                    };
                    assertEquals(
                            holds ? ALLOW : ERRNO | EPERM,
                            execute(filter, Architecture.X86_64, read, 0, 0, 0, given),
                            given + " " + op + " " + wanted);
                }
            }
        }
    }

    @Test
    void maskedConditionsLookAtTheMaskedBitsAlone() throws Exception {
        var filter = SeccompFilter.of(denyAllBut(
                allow(List.of(new ArgumentCondition(0, 0x7E020000L, 0, "SCMP_CMP_MASKED_EQ")), "clone")));
        int clone = numbers.of("clone", Architecture.X86_64);
        assertEquals(ALLOW, execute(filter, Architecture.X86_64, clone, 0x01200011));
        assertEquals(ERRNO | EPERM, execute(filter, Architecture.X86_64, clone, 0x10000000));
        assertEquals(ERRNO | EPERM, execute(filter, Architecture.X86_64, clone, 0x00020000));
    }

    @Test
    void allConditionsMustHoldUnlessTheyAreAboutTheSameArgument() throws Exception {
        int read = numbers.of("read", Architecture.X86_64);
        var both = SeccompFilter.of(denyAllBut(allow(
                List.of(new ArgumentCondition(0, 1, 0, "SCMP_CMP_EQ"), new ArgumentCondition(1, 2, 0, "SCMP_CMP_EQ")), "read")));
        assertEquals(ALLOW, execute(both, Architecture.X86_64, read, 1, 2));
        assertEquals(ERRNO | EPERM, execute(both, Architecture.X86_64, read, 1, 3));
        assertEquals(ERRNO | EPERM, execute(both, Architecture.X86_64, read, 0, 2));
        var either = SeccompFilter.of(denyAllBut(allow(
                List.of(new ArgumentCondition(0, 1, 0, "SCMP_CMP_EQ"), new ArgumentCondition(0, 2, 0, "SCMP_CMP_EQ")), "read")));
        assertEquals(ALLOW, execute(either, Architecture.X86_64, read, 1));
        assertEquals(ALLOW, execute(either, Architecture.X86_64, read, 2));
        assertEquals(ERRNO | EPERM, execute(either, Architecture.X86_64, read, 3));
    }

    @Test
    void anArchitectureThatIsNotListedIsKilled() throws Exception {
        var filter = SeccompFilter.of(
                new Seccomp("SCMP_ACT_ALLOW", null, List.of("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"), null, List.of()));
        assertEquals(ALLOW, execute(filter, Architecture.ofThisMachine(), 1));
        assertEquals(KILL, execute(filter, Architecture.X86, 1));
        if (Architecture.ofThisMachine() == Architecture.X86_64) {
            assertEquals(KILL, execute(filter, Architecture.X32, Architecture.X32_BIT | 1));
        }
    }

    @Test
    void aProfileThatMakesNoSenseIsRefused() {
        assertThrows(ContainerFailure.class, () -> SeccompFilter.of(new Seccomp(null, null, null, null, null)));
        assertThrows(
                ContainerFailure.class,
                () -> SeccompFilter.of(denyAllBut(allow(List.of(new ArgumentCondition(7, 0, 0, "SCMP_CMP_EQ")), "read"))));
    }
}
