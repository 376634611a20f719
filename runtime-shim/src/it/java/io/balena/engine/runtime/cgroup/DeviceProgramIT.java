package io.balena.engine.runtime.cgroup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.runtime.spec.RuntimeSpec.DeviceRule;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Device rules of cgroup version 2, on the hierarchy of version 2 that also hosts of version 1 usually have.
@Timeout(60)
class DeviceProgramIT {
    private Path group;

    @BeforeEach
    void open() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        Path root = Hierarchies.read().unified();
        assumeTrue(root != null, "needs a mounted cgroup2");
        group = Files.createDirectory(root.resolve("balena-device-it-" + ProcessHandle.current().pid()));
    }

    @AfterEach
    void close() throws IOException {
        if (group != null) CgroupFiles.remove(group);
    }

    /// What a shell that has joined the group says.
    private String inGroup(String script) throws Exception {
        String join = "echo $$ > " + group + "/cgroup.procs && ";
        var process = new ProcessBuilder("/bin/sh", "-c", join + script).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return output;
    }

    private static DeviceRule rule(boolean allow, String type, Long major, Long minor, String access) {
        return new DeviceRule(allow, type, major, minor, access);
    }

    @Test
    void onlyWhatIsAllowedCanBeUsed() throws Exception {
        DeviceProgram.attach(
                List.of(
                        rule(false, null, null, null, "rwm"),
                        rule(true, "c", 1L, 3L, "rwm"),
                        rule(true, "c", 1L, 5L, "r"),
                        rule(true, "c", 1L, null, "m")),
                group);
        String test = "for d in null zero full; do "
                + "(: < /dev/$d) 2>/dev/null && echo $d r; (: > /dev/$d) 2>/dev/null && echo $d w; done; true";
        assertEquals("null r\nnull w\nzero r\n", inGroup(test));
    }

    @Test
    void aLaterRuleOverridesAnEarlierOne() throws Exception {
        DeviceProgram.attach(List.of(rule(true, "a", null, null, null), rule(false, "c", 1L, 5L, "w")), group);
        String test = "(: < /dev/zero) && echo r; (: > /dev/zero) 2>/dev/null && echo w; (: > /dev/full) && echo other; true";
        assertEquals("r\nother\n", inGroup(test));
    }
}
