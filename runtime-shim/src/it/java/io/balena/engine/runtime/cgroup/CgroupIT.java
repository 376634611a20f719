package io.balena.engine.runtime.cgroup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.container.Bundle;
import io.balena.engine.runtime.container.RuntimeFixture;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.container.RuntimeTests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Control groups of containers on this machine, of whatever version it has.
@Timeout(120)
class CgroupIT extends RuntimeTests {
    private static final long MIB = 1 << 20;

    private Hierarchies hierarchies;

    @BeforeEach
    void open() throws IOException {
        hierarchies = Hierarchies.read();
    }

    /// Every folder of every hierarchy that belongs to a container.
    private List<Path> foldersOf(String id) throws IOException {
        List<Path> found = new ArrayList<>();
        for (Path root : hierarchies.roots()) {
            Path group = root.resolve(RuntimeFixture.CGROUP).resolve(id);
            if (Files.exists(group)) found.add(group);
        }
        return found;
    }

    private String started(Bundle bundle) throws IOException {
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            fixture.runtime.create(id, bundle.write(RuntimeFixture.cgroupsPath(id)), streams.pipes()).pidFd().close();
        }
        fixture.runtime.start(id);
        return id;
    }

    private Bundle sleeping() throws IOException {
        return fixture.bundle().running("sleep", "1000");
    }

    private static RuntimeSpec.Resources memory(Long limit, Long swap) {
        return resources(new RuntimeSpec.Memory(limit, null, swap, null, null, null, null), null, null);
    }

    private static RuntimeSpec.Resources resources(RuntimeSpec.Memory memory, RuntimeSpec.Cpu cpu, RuntimeSpec.Pids pids) {
        return new RuntimeSpec.Resources(null, memory, cpu, pids, null, null, null);
    }

    private String v1(String id, String controller, String file) throws IOException {
        var hierarchy = hierarchies.with(controller);
        assumeTrue(hierarchy != null, "this machine has no cgroup v1 controller " + controller);
        return CgroupFiles.read(hierarchy.mount().resolve(RuntimeFixture.CGROUP).resolve(id).resolve(file));
    }

    @Test
    void aContainerIsInTheGroupsOfEveryHierarchy() throws Exception {
        String id = started(sleeping());
        assertEquals(hierarchies.v1().isEmpty() ? 1 : hierarchies.v1().size(), foldersOf(id).size());
        for (Path group : foldersOf(id)) assertEquals(1, CgroupFiles.members(group).size(), group::toString);
    }

    @Test
    void groupsThatAContainerMadeGoWithIt() throws Exception {
        var bundle = sleeping();
        bundle.mounts.removeIf(mount -> mount.type().equals("cgroup"));
        bundle.mounts.add(new RuntimeSpec.Mount("/sys/fs/cgroup", "cgroup", "cgroup", List.of("nosuid", "noexec", "nodev")));
        String id = started(bundle);
        var made = fixture.exec(id, bundle.process("sh", "-c", """
                if [ -e /sys/fs/cgroup/cgroup.procs ]; then tops=/sys/fs/cgroup; else tops=/sys/fs/cgroup/*; fi
                for top in $tops; do [ -L $top ] || mkdir -p $top/one/two $top/three; done
                for top in $tops; do [ -L $top ] || [ ! -e $top/pids.max ] || echo $$ > $top/one/two/cgroup.procs; done
                sleep 1000 > /dev/null 2>&1 & echo made"""));
        assertEquals("made\n", made.out(), made::toString);
        assertTrue(foldersOf(id).stream().anyMatch(group -> Files.exists(group.resolve("one/two"))));
        fixture.runtime.delete(id);
        assertEquals(List.of(), foldersOf(id));
    }

    @Test
    void aCreationThatFailsHalfWayLeavesNoGroup() throws Exception {
        var bundle = sleeping();
        // The devices come after memory and the rest, and there is no such access.
        bundle.memory = new RuntimeSpec.Memory(64 * MIB, null, null, null, null, null, null);
        bundle.deviceRules = List.of(new RuntimeSpec.DeviceRule(true, "c", 1L, 3L, "q"));
        String id = fixture.newId();
        Path written = bundle.write(RuntimeFixture.cgroupsPath(id));
        try (var streams = fixture.new Streams()) {
            assertThrows(ContainerFailure.class, () -> fixture.runtime.create(id, written, streams.pipes()));
        }
        assertEquals(List.of(), foldersOf(id));
    }

    @Test
    void memoryAndSwapCanBeLoweredAndRaisedTogether() throws Exception {
        var bundle = sleeping();
        bundle.memory = new RuntimeSpec.Memory(64 * MIB, null, 64 * MIB, null, null, null, null);
        String id = started(bundle);
        for (long limit : new long[] {128 * MIB, 32 * MIB, 256 * MIB, 16 * MIB}) {
            fixture.runtime.update(id, memory(limit, limit));
            assertEquals(limit, fixture.runtime.stats(id).memory().limit());
        }
        // Memory alone, below the limit of both.
        fixture.runtime.update(id, memory(8 * MIB, null));
        assertEquals(8 * MIB, fixture.runtime.stats(id).memory().limit());
        fixture.runtime.update(id, memory(-1L, null));
        assertEquals(Long.MAX_VALUE, fixture.runtime.stats(id).memory().limit());
    }

    @Test
    void aChangeThatIsRefusedHalfWayIsTakenBack() throws Exception {
        var bundle = sleeping();
        bundle.memory = new RuntimeSpec.Memory(64 * MIB, null, 128 * MIB, null, null, null, null);
        bundle.pids = new RuntimeSpec.Pids(40);
        bundle.cpu = new RuntimeSpec.Cpu(512L, 50_000L, 100_000L, null, null, null, null);
        String id = started(bundle);
        var before = fixture.runtime.stats(id);
        String quota = v1(id, "cpu", "cpu.cfs_quota_us");
        String shares = v1(id, "cpu", "cpu.shares");
        // No machine has that processor, and processors come last but for the number of processes.
        var wanted = resources(
                new RuntimeSpec.Memory(32 * MIB, null, 32 * MIB, null, null, null, null),
                new RuntimeSpec.Cpu(99L, 20_000L, 100_000L, null, null, "4000", null),
                new RuntimeSpec.Pids(7));
        assertThrows(ContainerFailure.class, () -> fixture.runtime.update(id, wanted));
        var after = fixture.runtime.stats(id);
        assertEquals(before.memory().limit(), after.memory().limit());
        assertEquals(before.memory().swap().limit(), after.memory().swap().limit());
        assertEquals(before.pids().limit(), after.pids().limit());
        assertEquals(quota, v1(id, "cpu", "cpu.cfs_quota_us"));
        assertEquals(shares, v1(id, "cpu", "cpu.shares"));
    }

    @Test
    void aPausedContainerCanBeChanged() throws Exception {
        String id = started(sleeping());
        fixture.runtime.pause(id);
        fixture.runtime.update(id, resources(null, null, new RuntimeSpec.Pids(11)));
        fixture.runtime.resume(id);
        assertEquals(11, fixture.runtime.stats(id).pids().limit());
    }

    @Test
    void whatIsUsedIsCounted() throws Exception {
        var bundle = fixture.bundle().script("dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; echo > /dev/shm/done; sleep 1000 & wait");
        bundle.memory = new RuntimeSpec.Memory(64 * MIB, null, null, null, null, null, null);
        bundle.pids = new RuntimeSpec.Pids(9);
        String id = started(bundle);
        while (fixture.exec(id, bundle.process("test", "-e", "/dev/shm/done")).code() != 0) Thread.onSpinWait();
        while (fixture.runtime.stats(id).pids().current() < 2) Thread.onSpinWait();
        CgroupStats used = fixture.runtime.stats(id);
        assertTrue(used.memory().usage() >= 20 * MIB && used.memory().usage() <= 64 * MIB, used::toString);
        assertEquals(64 * MIB, used.memory().limit());
        assertTrue(used.memory().details().size() > 10, used::toString);
        assertEquals(9, used.pids().limit());
        assertTrue(used.cpu().total() > 0 && used.cpu().total() < 60_000_000_000L, used::toString);
        assertTrue(used.cpu().perProcessor().stream().mapToLong(Long::longValue).sum() <= fixture.runtime.stats(id).cpu().total());
    }
}
