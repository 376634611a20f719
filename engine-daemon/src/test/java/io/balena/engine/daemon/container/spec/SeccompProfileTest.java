package io.balena.engine.daemon.container.spec;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.spec.SeccompProfile.KernelVersion;
import io.balena.engine.daemon.container.spec.SeccompProfile.Machine;
import io.balena.engine.runtime.spec.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.spec.RuntimeSpec.SyscallRule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SeccompProfileTest {
    private static final Machine PC = new Machine("SCMP_ARCH_X86_64", "amd64", new KernelVersion(6, 1));
    private static final Machine BOARD = new Machine("SCMP_ARCH_AARCH64", "arm64", new KernelVersion(4, 4));

    @Test
    void theFilterFollowsTheCapabilitiesTheMachineAndItsKernel() {
        var builtin = SeccompProfiles.builtin();
        var usual = builtin.on(PC, List.of("CAP_CHOWN"));
        assertEquals("SCMP_ACT_ERRNO", usual.defaultAction());
        assertEquals(1, usual.defaultErrnoRet());
        assertEquals(List.of("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"), usual.architectures());
        assertFalse(allowed(usual).contains("mount"));
        assertTrue(allowed(usual).containsAll(List.of("arch_prctl", "ptrace", "read")));
        assertTrue(usual.syscalls().contains(new SyscallRule(List.of("clone3"), "SCMP_ACT_ERRNO", 38, List.of())));
        assertTrue(allowed(builtin.on(PC, List.of("CAP_SYS_ADMIN"))).containsAll(List.of("mount", "clone", "clone3")));
        var board = builtin.on(BOARD, List.of());
        assertEquals(List.of("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"), board.architectures());
        assertFalse(allowed(board).contains("arch_prctl"));
        assertFalse(allowed(board).contains("ptrace"), "with which filters could be avoided before Linux 4.8");
        assertTrue(allowed(board).contains("cacheflush"));
    }

    private static List<String> allowed(Seccomp seccomp) {
        List<String> names = new ArrayList<>();
        for (var rule : seccomp.syscalls()) {
            if (rule.action().equals("SCMP_ACT_ALLOW") && rule.args().isEmpty()) names.addAll(rule.names());
        }
        return names;
    }

    @Test
    void everythingAProfileMaySayIsRead() {
        var seccomp = read("""
                {'defaultAction':'SCMP_ACT_KILL','DefaultErrnoRet':7,'unknown':[{}],'flags':['SECCOMP_FILTER_FLAG_LOG'],'syscalls':[null,
                 {'name':'read','action':'SCMP_ACT_ALLOW','comment':'x','args':[{'index':5,'value':18446744073709551615,'valueTwo':3,'op':'SCMP_CMP_EQ'}]},
                 {'names':['a','b'],'action':'SCMP_ACT_ERRNO','errnoRet':5,'args':null,'includes':null,'excludes':{}}],
                 'archMap':[{'architecture':'SCMP_ARCH_S390X','subArchitectures':null},{'architecture':'SCMP_ARCH_X86_64','subArchitectures':['SCMP_ARCH_X86']}]}""")
                .on(PC, List.of());
        assertEquals(new Seccomp("SCMP_ACT_KILL", 7, List.of("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"), List.of("SECCOMP_FILTER_FLAG_LOG"), List.of(
                new SyscallRule(List.of(), "", null, List.of()),
                new SyscallRule(List.of("read"), "SCMP_ACT_ALLOW", null, List.of(new ArgumentCondition(5, -1, 3, "SCMP_CMP_EQ"))),
                new SyscallRule(List.of("a", "b"), "SCMP_ACT_ERRNO", 5, List.of()))), seccomp);
        assertEquals(List.of(), read("null").on(PC, List.of()).syscalls());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            includes | {}                                  | true
            includes | {'caps':['CAP_A']}                  | true
            includes | {'caps':['CAP_A','CAP_B']}          | false
            includes | {'arches':['arm','amd64']}          | true
            includes | {'arches':['arm','SCMP_ARCH_X86_64']} | false
            includes | {'minKernel':'6.1'}                 | true
            includes | {'minKernel':'5.19'}                | true
            includes | {'minKernel':'6.2'}                 | false
            includes | {'minKernel':''}                    | true
            includes | {'caps':['CAP_A'],'arches':['arm']} | false
            excludes | {}                                  | true
            excludes | {'caps':['CAP_A']}                  | false
            excludes | {'caps':['CAP_B']}                  | true
            excludes | {'caps':['CAP_B','CAP_A']}          | false
            excludes | {'arches':['arm']}                  | true
            excludes | {'arches':['amd64']}                | false
            excludes | {'minKernel':'6.1'}                 | false
            excludes | {'minKernel':'7.0'}                 | true
            """)
    void aRuleIsValidWhereItsConditionsSay(String field, String condition, boolean valid) {
        var seccomp = read("{'syscalls':[{'names':['x'],'" + field + "':" + condition + "}]}").on(PC, List.of("CAP_A"));
        assertEquals(valid ? 1 : 0, seccomp.syscalls().size());
    }

    /// All of these are what dockerd 20.10 answers, but for the fields it does not have.
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            foo                                    | invalid character 'o' in literal false (expecting 'a')
            builtin                                | invalid character 'b' looking for beginning of value
            {"defaultAction":"SCMP_ACT_ALLOW"      | unexpected end of JSON input
            {"a":5                                 | unexpected end of JSON input
            {"defaultAction":"SCMP_ACT_ALLOW",}    | invalid character '}' looking for beginning of object key string
            {'a'}                                  | invalid character '\\'' looking for beginning of object key string
            {"a" 5}                                | invalid character '5' after object key
            {"a":tru}                              | invalid character '}' in literal true (expecting 'e')
            {"defaultAction":"SCMP_ACT_ALLOW"} trailing | invalid character 't' after top-level value
            []                                     | json: cannot unmarshal array into Go value of type seccomp.Seccomp
            5                                      | json: cannot unmarshal number into Go value of type seccomp.Seccomp
            "x"                                    | json: cannot unmarshal string into Go value of type seccomp.Seccomp
            {"defaultAction":5}                    | json: cannot unmarshal number into Go struct field Seccomp.defaultAction of type specs.LinuxSeccompAction
            {"architectures":[7]}                  | json: cannot unmarshal number into Go struct field Seccomp.architectures of type specs.Arch
            {"archMap":{}}                         | json: cannot unmarshal object into Go struct field Seccomp.archMap of type []seccomp.Architecture
            {"archMap":[{"architecture":5}]}       | json: cannot unmarshal number into Go struct field Architecture.archMap.architecture of type specs.Arch
            {"syscalls":{}}                        | json: cannot unmarshal object into Go struct field Seccomp.syscalls of type []*seccomp.Syscall
            {"syscalls":[5]}                       | json: cannot unmarshal number into Go struct field Seccomp.syscalls of type seccomp.Syscall
            {"syscalls":[{"names":"x"}]}           | json: cannot unmarshal string into Go struct field Syscall.syscalls.names of type []string
            {"syscalls":[{"comment":1.5}]}         | json: cannot unmarshal number into Go struct field Syscall.syscalls.comment of type string
            {"syscalls":[{"errnoRet":"x"}]}        | json: cannot unmarshal string into Go struct field Syscall.syscalls.errnoRet of type uint
            {"syscalls":[{"errnoRet":-1}]}         | json: cannot unmarshal number -1 into Go struct field Syscall.syscalls.errnoRet of type uint
            {"syscalls":[{"args":[{"index":"x"}]}]} | json: cannot unmarshal string into Go struct field LinuxSeccompArg.syscalls.args.index of type uint
            {"syscalls":[{"args":[{"index":-1}]}]} | json: cannot unmarshal number -1 into Go struct field LinuxSeccompArg.syscalls.args.index of type uint
            {"syscalls":[{"args":[{"value":1.5}]}]} | json: cannot unmarshal number 1.5 into Go struct field LinuxSeccompArg.syscalls.args.value of type uint64
            {"syscalls":[{"args":[{"value":18446744073709551616}]}]} | json: cannot unmarshal number 18446744073709551616 into Go struct field LinuxSeccompArg.syscalls.args.value of type uint64
            {"syscalls":[{"args":[{"op":3}]}]}     | json: cannot unmarshal number into Go struct field LinuxSeccompArg.syscalls.args.op of type specs.LinuxSeccompOperator
            {"syscalls":[{"includes":[]}]}         | json: cannot unmarshal array into Go struct field Syscall.syscalls.includes of type seccomp.Filter
            {"syscalls":[{"includes":{"caps":5}}]} | json: cannot unmarshal number into Go struct field Filter.syscalls.includes.caps of type []string
            {"syscalls":[{"includes":{"minKernel":"foo"}}]} | invalid kernel version: "foo", expected "<kernel>.<major>"
            {"syscalls":[{"includes":{"minKernel":"4.8.1"}}]} | invalid kernel version: "4.8.1", expected "<kernel>.<major>"
            {"syscalls":[{"includes":{"minKernel":"0.0"}}]} | invalid kernel version: "0.0", expected "<kernel>.<major>": version cannot be 0.0
            {"syscalls":[{"includes":{"minKernel":"-1.0"}}]} | invalid kernel version: "-1.0", expected "<kernel>.<major>": strconv.ParseUint: parsing "-1": invalid syntax
            {"syscalls":[{"includes":{"minKernel":5}}]} | invalid kernel version: 5, expected "<kernel>.<major>": json: cannot unmarshal number into Go value of type string
            {"flags":[5]}                          | json: cannot unmarshal number into Go struct field Seccomp.flags of type specs.LinuxSeccompFlag
            """)
    void whatCannotBeDecodedIsToldInDockersWords(String json, String message) {
        assertEquals("Decoding seccomp profile failed: " + message,
                assertThrows(EngineException.class, () -> SeccompProfileReader.read(json)).getMessage());
    }

    @Test
    void whatContradictsItselfIsToldInDockersWords() {
        assertEquals("'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'",
                assertThrows(EngineException.class, () -> read("{'syscalls':[{'name':'a','names':['b']}]}").on(PC, List.of())).getMessage());
        assertEquals("'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'",
                assertThrows(EngineException.class, () -> read("{'architectures':['a'],'archMap':[{}]}").on(PC, List.of())).getMessage());
    }

    @Test
    void aDamagedProfileIsRefusedAndNothingWorse() throws Exception {
        String whole = new String(SeccompProfiles.class.getResourceAsStream("seccomp.json").readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        for (int seed = 0; seed < 300; seed++) {
            var random = new Random(seed);
            var text = new StringBuilder(whole);
            for (int i = random.nextInt(3); i >= 0; i--) {
                int at = random.nextInt(text.length() - 10);
                switch (random.nextInt(3)) {
                    case 0 -> text.setCharAt(at, (char) random.nextInt(128));
                    case 1 -> text.delete(at, at + random.nextInt(10));
                    default -> text.setLength(at + 10);
                }
            }
            assertDoesNotThrow(() -> {
                try {
                    SeccompProfileReader.read(text.toString()).on(PC, List.of());
                } catch (EngineException refused) {
                    assertFalse(refused.getMessage().contains("\n"), refused::getMessage);
                }
            }, "seed " + seed);
        }
        for (String nested : List.of("[".repeat(1_000_000), "{\"a\":".repeat(1_000_000))) {
            assertEquals("Decoding seccomp profile failed: exceeded max depth",
                    assertThrows(EngineException.class, () -> SeccompProfileReader.read(nested)).getMessage());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo", "", "seccomp", "apparmor"})
    void anOptionWithoutAValueIsRefused(String option) {
        assertEquals("invalid --security-opt 1: \"" + option + "\"",
                assertThrows(InvalidRequest.class, () -> SecurityOptions.parse(List.of(option))).getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo=bar", "foo:bar", "=", "SECCOMP=unconfined", "systempaths=unconfined", "writable-cgroups=true", "credentialspec=x",
            "no-new-privileges=maybe", "no-new-privileges=", "no-new-privileges:x=y"})
    void anOptionThatDockerDoesNotKnowIsRefused(String option) {
        assertEquals("invalid --security-opt 2: \"" + option + "\"",
                assertThrows(InvalidRequest.class, () -> SecurityOptions.parse(List.of(option))).getMessage());
    }

    @Test
    void theLastOfSeveralOptionsIsValid() {
        assertEquals(new SecurityOptions(Optional.of(false), Optional.of(new SeccompSource.Unconfined()), Optional.of("mine")),
                SecurityOptions.parse(List.of("no-new-privileges", "seccomp={}", "apparmor:x", "label=disable", "seccomp:unconfined",
                        "no-new-privileges=false", "apparmor=mine")));
        assertEquals(Optional.empty(), SecurityOptions.parse(List.of("seccomp=unconfined", "seccomp=")).seccomp());
        assertEquals(Optional.of(new SeccompSource.Inline("{\"a\":\"b=c\"}")), SecurityOptions.parse(List.of("seccomp={\"a\":\"b=c\"}")).seccomp());
    }

    @Test
    void theEnginesFlagIsForContainersThatNameNoProfile(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("own.json"), "{\"defaultAction\":\"SCMP_ACT_LOG\"}");
        var own = SeccompSource.ofFlag(file.toString());
        assertEquals(file.toString(), own.shown());
        var profiles = new SeccompProfiles(PC, own);
        assertEquals("SCMP_ACT_LOG", profiles.of(null, List.of()).defaultAction());
        assertEquals("SCMP_ACT_ERRNO", profiles.of(SeccompSource.BUILTIN, List.of()).defaultAction());
        assertNull(profiles.of(new SeccompSource.Unconfined(), List.of()));
        assertNull(new SeccompProfiles(PC, SeccompSource.ofFlag("unconfined")).of(null, List.of()));
        assertEquals("builtin", SeccompSource.ofFlag("").shown());
        assertEquals("opening seccomp profile (/no/such) failed: open /no/such: no such file or directory",
                assertThrows(IllegalArgumentException.class, () -> SeccompSource.ofFlag("/no/such")).getMessage());
    }

    private static SeccompProfile read(String json) {
        return SeccompProfileReader.read(json.replace('\'', '"'));
    }
}
