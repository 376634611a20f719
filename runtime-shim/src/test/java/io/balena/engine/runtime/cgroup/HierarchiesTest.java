package io.balena.engine.runtime.cgroup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class HierarchiesTest {
    @Test
    void aHybridHostHasBothVersions() {
        var found = Hierarchies.parse(List.of(
                "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
                "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
                "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct",
                "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd",
                "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate"));
        assertEquals(List.of("cpu", "cpuacct"), found.with("cpuacct").controllers());
        assertEquals(Path.of("/sys/fs/cgroup/cpu,cpuacct"), found.with("cpu").mount());
        assertEquals("name=systemd", found.v1().get(1).options());
        assertEquals(Path.of("/sys/fs/cgroup/unified"), found.unified());
        assertNull(found.with("memory"));
    }

    @Test
    void aHostOfVersionTwoHasNoneOfVersionOne() {
        var found = Hierarchies.parse(List.of("30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"));
        assertEquals(List.of(), found.v1());
        assertEquals(Path.of("/sys/fs/cgroup"), found.unified());
    }
}
