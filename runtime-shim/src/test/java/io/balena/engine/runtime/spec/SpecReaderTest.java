package io.balena.engine.runtime.spec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec.*;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SpecReaderTest {
    @Test
    void everythingThatIsWrittenIsReadAgain() throws Exception {
        var capabilities = new Capabilities(List.of("CAP_CHOWN"), List.of("CAP_KILL"), List.of("A"), List.of("B"), List.of("C"));
        var process = new RuntimeSpec.Process(
                true,
                new ConsoleSize(25, 80),
                new User(1000, -1, 027, List.of(1, -2)),
                List.of("a", "b"),
                List.of("K=V"),
                "/work",
                capabilities,
                List.of(new Rlimit("RLIMIT_CORE", 0, -1)),
                true,
                "profile",
                -5,
                "label");
        var throttle = List.of(new ThrottleDevice(8, 0, 1000));
        var resources = new Resources(
                List.of(new DeviceRule(true, "c", 1L, null, "rw")),
                new Memory(1L, 2L, -1L, 3L, 4L, 5L, true),
                new Cpu(1L, 2L, 3L, 4L, 5L, "0-1", "0"),
                new Pids(7),
                new BlockIo(100, List.of(new WeightDevice(8, 1, 3)), throttle, throttle, throttle, throttle),
                List.of(new HugepageLimit("2MB", 1 << 21)),
                Map.of("memory.high", "5"));
        var seccomp = new Seccomp(
                "SCMP_ACT_ERRNO",
                38,
                List.of("SCMP_ARCH_X86_64"),
                List.of("SECCOMP_FILTER_FLAG_LOG"),
                List.of(new SyscallRule(List.of("read"), "SCMP_ACT_ALLOW", 3, List.of(new ArgumentCondition(1, -1, 2, "SCMP_CMP_EQ")))));
        var linux = new Linux(
                List.of(new Namespace("pid", "/proc/1/ns/pid")),
                List.of(new IdMapping(0, 100000, 65536)),
                List.of(new IdMapping(1, 2, 3)),
                List.of(new Device("/dev/x", "c", 1, 2, 0600, 3, 4)),
                resources,
                "/docker/x",
                Map.of("net.a", "1"),
                seccomp,
                "rslave",
                List.of("/m"),
                List.of("/r"),
                "mount label");
        var hook = List.of(new Hook("/hook", List.of("hook"), List.of("A=B"), 3));
        var spec = new RuntimeSpec(
                "1.2.0",
                process,
                new Root("rootfs", true),
                "host",
                "domain",
                List.of(new Mount("/d", "bind", "/s", List.of("ro"))),
                new Hooks(hook, hook, hook, hook, hook, hook),
                Map.of("k", "v"),
                linux);
        var json = new ObjectMapper();
        assertEquals(spec, SpecReader.spec(json.writeValueAsBytes(spec)));
        assertEquals(process, SpecReader.process(json.writeValueAsBytes(process)));
    }

    private static RuntimeSpec read(String json) throws Exception {
        return SpecReader.spec(json.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void whatIsUnknownOrNullIsPassedOver() throws Exception {
        var spec = read("{\"new\":{\"a\":[1,{}]},\"hostname\":null,\"linux\":{\"seccomp\":null,\"other\":[]},\"mounts\":null}");
        assertEquals(List.of(), spec.mounts());
        assertEquals(null, spec.linux().seccomp());
    }

    @Test
    void theLargestUnsignedNumbersAreRead() throws Exception {
        var limit = read("{\"process\":{\"rlimits\":[{\"type\":\"T\",\"hard\":18446744073709551615,\"soft\":9223372036854775808}],"
                        + "\"user\":{\"uid\":4294967294}}}").process();
        assertEquals(new Rlimit("T", Long.MIN_VALUE, -1), limit.rlimits().getFirst());
        assertEquals(-2, limit.user().uid());
    }

    @Test
    void aWrongTypeIsRefusedWithItsPlace() {
        var failure = assertThrows(ContainerFailure.class, () -> read("{\"process\":{\"args\":\"sh\"}}"));
        assertEquals("malformed config.json: expected START_ARRAY, found VALUE_STRING at /process/args", failure.getMessage());
        assertThrows(ContainerFailure.class, () -> read("{\"process\":{\"terminal\":1}}"));
        assertThrows(ContainerFailure.class, () -> read("{\"mounts\":[[]]}"));
        assertThrows(ContainerFailure.class, () -> read("{\"process\":{\"args\":[\"sh\"]}"));
    }
}
