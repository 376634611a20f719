package io.balena.engine.runtime.seccomp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.spec.RuntimeSpec.SyscallRule;
import io.balena.engine.runtime.spec.SpecReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
        return new BpfMachine(filter.code()).run(number, architecture.audit, arguments).action();
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
    void anyCallMeetsFewInstructions() throws Exception {
        List<SyscallRule> rules = new ArrayList<>();
        // Every second number is treated in another way than its neighbours: no profile is worse.
        try (var lines = new java.util.Scanner(SyscallNumbers.class.getResourceAsStream("syscalls.txt"))) {
            while (lines.hasNextLine()) {
                String[] fields = lines.nextLine().split(" ");
                if (fields.length == 6 && fields[2].matches("[0-9]*[02468]")) rules.add(allow(List.of(), fields[0]));
            }
        }
        var machine = new BpfMachine(SeccompFilter.of(denyAllBut(rules.toArray(SyscallRule[]::new))).code());
        for (int number = 0; number < 500; number++) {
            int steps = machine.run(number, Architecture.X86_64.audit).steps();
            assertTrue(steps <= 26, "call " + number + " takes " + steps);
        }
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
    void theNumberThatTracersPassCallsOverWithIsNoCallOfX32() throws Exception {
        var filter = SeccompFilter.of(new Seccomp("SCMP_ACT_ALLOW", null, List.of("SCMP_ARCH_X86_64"), null, List.of()));
        assertEquals(ALLOW, execute(filter, Architecture.X86_64, -1));
        assertEquals(KILL, execute(filter, Architecture.X86_64, -2));
    }

    @Test
    void aRuleWithoutConditionsMakesThoseWithConditionsVoid() throws Exception {
        var plain = new SyscallRule(List.of("acct"), "SCMP_ACT_ERRNO", 5, List.of());
        var conditional = new SyscallRule(List.of("acct"), "SCMP_ACT_ERRNO", 6, List.of(new ArgumentCondition(0, 1, 0, "SCMP_CMP_EQ")));
        int acct = numbers.of("acct", Architecture.X86_64);
        for (var rules : List.of(List.of(plain, conditional), List.of(conditional, plain))) {
            var filter = SeccompFilter.of(new Seccomp("SCMP_ACT_ALLOW", null, ALL_ARCHITECTURES, null, rules));
            assertEquals(ERRNO | 5, execute(filter, Architecture.X86_64, acct, 1));
        }
    }

    @Test
    void noWayLeadsAroundARuleThroughTheMultiplexedCallsOfX86() throws Exception {
        var filter = SeccompFilter.of(new Seccomp("SCMP_ACT_ALLOW", null, ALL_ARCHITECTURES, null, List.of(
                new SyscallRule(List.of("socket"), "SCMP_ACT_ERRNO", 5, List.of(new ArgumentCondition(0, 38, 0, "SCMP_CMP_EQ"))),
                new SyscallRule(List.of("shmat", "recv"), "SCMP_ACT_ERRNO", 6, List.of()))));
        int socketcall = numbers.of("socketcall", Architecture.X86);
        int ipc = numbers.of("ipc", Architecture.X86);
        assertEquals(ERRNO | 5, execute(filter, Architecture.X86, socketcall, 1), "what it is about lies in memory");
        assertEquals(ALLOW, execute(filter, Architecture.X86, socketcall, 2));
        assertEquals(ERRNO | 6, execute(filter, Architecture.X86, socketcall, 10));
        assertEquals(ERRNO | 6, execute(filter, Architecture.X86, ipc, 21));
        assertEquals(ERRNO | 6, execute(filter, Architecture.X86, ipc, 1 << 16 | 21), "with a version");
        assertEquals(ALLOW, execute(filter, Architecture.X86, ipc, 22));
    }

    @Test
    void newCallsOfArmLookMissingAlthoughItHasSomeOfItsOwnFarAbove() throws Exception {
        var filter = SeccompFilter.of(denyAllBut(allow(List.of(), "read", "clone3", "cacheflush")));
        assertEquals(ERRNO | EPERM, execute(filter, Architecture.ARM, 434));
        assertEquals(ERRNO | ENOSYS, execute(filter, Architecture.ARM, 436));
        assertEquals(ERRNO | ENOSYS, execute(filter, Architecture.ARM, 0xF0001));
        assertEquals(ALLOW, execute(filter, Architecture.ARM, 0xF0002));
        assertEquals(ERRNO | ENOSYS, execute(filter, Architecture.ARM, 0xF0003));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            SCMP_ACT_KILL         |     | 00000000
            SCMP_ACT_KILL_THREAD  | 5   | 00000000
            SCMP_ACT_KILL_PROCESS |     | 80000000
            SCMP_ACT_TRAP         | 9   | 00030000
            SCMP_ACT_ERRNO        |     | 00050001
            SCMP_ACT_ERRNO        | 0   | 00050000
            SCMP_ACT_ERRNO        | 4094| 00050ffe
            SCMP_ACT_TRACE        |     | 7ff00001
            SCMP_ACT_TRACE        | 60000 | 7ff0ea60
            SCMP_ACT_LOG          |     | 7ffc0000
            SCMP_ACT_ALLOW        | 5   | 7fff0000
            """)
    void everyActionIsWhatTheKernelCallsIt(String action, Integer errno, String expected) throws Exception {
        String other = action.equals("SCMP_ACT_ALLOW") ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW";
        var filter = SeccompFilter.of(new Seccomp(other, 77, ALL_ARCHITECTURES, null,
                List.of(new SyscallRule(List.of("acct"), action, errno, List.of()))));
        assertEquals(Integer.parseUnsignedInt(expected, 16),
                execute(filter, Architecture.X86_64, numbers.of("acct", Architecture.X86_64)));
    }

    @Test
    void flagsAreThoseOfTheKernel() throws Exception {
        assertEquals(4, SeccompFilter.of(denyAllBut()).flags());
        assertEquals(3, SeccompFilter.of(new Seccomp("SCMP_ACT_LOG", null, null,
                List.of("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"), null)).flags());
    }

    @Test
    void whatSaysNothingFiltersNothing() throws Exception {
        assertNull(SeccompFilter.of(null));
        assertNull(SeccompFilter.of(new Seccomp(null, null, List.of("SCMP_ARCH_X86"), null, null)));
        assertNull(SeccompFilter.of(new Seccomp("", null, null, null, List.of())));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            {'defaultAction':'SCMP_ACT_BOO'} | string SCMP_ACT_BOO is not a valid action for seccomp
            {'syscalls':[{'names':['read'],'action':'SCMP_ACT_ALLOW'}]} | string  is not a valid action for seccomp
            {'defaultAction':'SCMP_ACT_NOTIFY'} | SCMP_ACT_NOTIFY cannot be used as default action
            {'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':5000} | errnoRet 5000 is not an error number
            {'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_FOO']} | string SCMP_ARCH_FOO is not a valid arch for seccomp
            {'defaultAction':'SCMP_ACT_ALLOW','flags':['FOO']} | seccomp flag "FOO" is not supported
            {'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['acct']}]} | string  is not a valid action for seccomp
            {'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['acct'],'action':'X'}]} | string X is not a valid action for seccomp
            {'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['acct'],'action':'SCMP_ACT_NOTIFY'}]} | SCMP_ACT_NOTIFY is not supported
            {'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['acct'],'action':'SCMP_ACT_ERRNO','errnoRet':4095}]} | errnoRet 4095 is not an error number
            {'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':[''],'action':'SCMP_ACT_ERRNO'}]} | empty string is not a valid syscall
            {'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['acct'],'action':'SCMP_ACT_ERRNO','args':[{'index':0}]}]} | string  is not a valid operator for seccomp
            {'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['acct'],'action':'SCMP_ACT_ERRNO','args':[{'index':0,'op':'X'}]}]} | string X is not a valid operator for seccomp
            {'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['acct'],'action':'SCMP_ACT_ERRNO','args':[{'index':6,'op':'SCMP_CMP_EQ'}]}]} | error creating seccomp syscall condition for syscall acct: syscalls only have up to 6 arguments (6 given)
            """)
    void aProfileThatMakesNoSenseIsRefusedInRuncsWords(String profile, String message) throws Exception {
        var seccomp = SpecReader.spec(("{\"linux\":{\"seccomp\":" + profile.replace('\'', '"') + "}}").getBytes(UTF_8)).linux().seccomp();
        assertEquals(message, assertThrows(ContainerFailure.class, () -> SeccompFilter.of(seccomp)).getMessage());
    }

    @Test
    void rulesThatContradictEachOtherAreRefused() {
        var condition = List.of(new ArgumentCondition(0, 1, 0, "SCMP_CMP_EQ"));
        assertEquals("error adding seccomp rule for syscall acct: file exists",
                assertThrows(ContainerFailure.class, () -> SeccompFilter.of(new Seccomp("SCMP_ACT_ALLOW", null, null, null, List.of(
                        new SyscallRule(List.of("acct"), "SCMP_ACT_ERRNO", 1, condition),
                        new SyscallRule(List.of("acct"), "SCMP_ACT_KILL", null, condition))))).getMessage());
    }
}
