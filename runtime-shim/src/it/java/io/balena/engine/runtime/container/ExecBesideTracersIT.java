package io.balena.engine.runtime.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.linux.PidFd;
import io.balena.engine.runtime.process.CapabilitySet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/// Programs executed into a container whose processes have `CAP_SYS_PTRACE`, and could write into the memory of whatever they see.
class ExecBesideTracersIT extends ExecContract {
    private static final int EXECS = 30;

    @Override
    Bundle bundle() throws IOException {
        var bundle = fixture.bundle();
        assumeTrue((Long.parseUnsignedLong(field(Files.readString(Path.of("/proc/self/status")), "CapBnd"), 16)
                & CapabilitySet.of(List.of("CAP_SYS_PTRACE"))) != 0, "needs the right to trace");
        var capabilities = new ArrayList<>(bundle.capabilities);
        capabilities.add("CAP_SYS_PTRACE");
        bundle.capabilities = capabilities;
        return bundle;
    }

    /// What they may see of what has not executed its program yet has the container's rights, no more. Fails when the child of the runtime,
    /// which shares its memory and has its rights, is made in the container's pid namespace, as it is where nobody may trace.
    @Test
    void nobodySeesAProcessWithTheRuntimesRights() throws Exception {
        var bundle = bundle();
        String id = fixture.newId();
        String look = "while [ ! -e /stop ]; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || while read k v; do"
                + " [ $k = CapPrm: ] && echo $v >> /seen && break; done < $p/status; done; done 2>/dev/null";
        try (var streams = fixture.new Streams()) {
            try (PidFd first = fixture.runtime.create(id, bundle.script(look).write(RuntimeFixture.cgroupsPath(id)), streams.pipes()).pidFd()) {
                fixture.runtime.start(id);
                Path seen = bundle.rootfs.resolve("seen");
                for (int i = 0; i < EXECS || !Files.exists(seen); i++) assertEquals(0, fixture.exec(id, bundle.process("true")).code());
                Files.createFile(bundle.rootfs.resolve("stop"));
                assertEquals(0, first.awaitEnd());
                Set<String> rights = Files.readAllLines(seen).stream().collect(Collectors.toSet());
                assertEquals(Set.of(capabilities(bundle)), rights);
            }
        }
    }
}
