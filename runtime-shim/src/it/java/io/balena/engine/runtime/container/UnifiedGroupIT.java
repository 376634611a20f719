package io.balena.engine.runtime.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.linux.PidFd;
import io.balena.engine.runtime.cgroup.Hierarchies;
import io.balena.engine.runtime.process.HostFacts;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.spec.SpecReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Containers in groups of version 2 as if there were no others, wherever the host has that version mounted.
class UnifiedGroupIT extends RuntimeTests {
    @Test
    void processesAreMadeInTheirGroup() throws Exception {
        Path root = Hierarchies.read().unified();
        assumeTrue(root != null, "needs a mounted cgroup2");
        String id = fixture.newId();
        String path = RuntimeFixture.cgroupsPath(id);
        Path group = root.resolve(path.substring(1));
        bundle.running("sleep", "1000").write(path);
        var container = new Container(id, bundle.folder, fixture.stateRoot.resolve(id), path, new Hierarchies(List.of(), root), HostFacts.read());
        try (var streams = fixture.new Streams();
                var said = fixture.new Streams();
                PidFd first = container.create(SpecReader.spec(OciRuntime.readConfig(bundle.folder)), streams.pipes(), Creation.OWNED).pidFd()) {
            assertTrue(container.cgroup().birthplace().isPresent());
            assertEquals("0::" + path, unified(first.pid()));
            container.start();
            StandardStreams pipes = said.pipes();
            try (PidFd execed = container.exec(SpecReader.process(bundle.process("cat", "/proc/self/cgroup")), pipes, 0).pidFd()) {
                assertTrue(said.await(execed).out().lines().anyMatch("0::/"::equals), "in its namespace's root");
            }
            assertEquals(List.of(first.pid()), container.cgroup().members());
            container.delete();
            assertEquals(137, first.awaitEnd());
        }
        assertFalse(Files.exists(group));
        Files.deleteIfExists(group.getParent());
    }

    private static String unified(int pid) throws Exception {
        return Files.readAllLines(Path.of("/proc/" + pid + "/cgroup")).stream().filter(line -> line.startsWith("0::")).findFirst().orElseThrow();
    }
}
