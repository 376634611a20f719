package io.balena.engine.runtime.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.linux.PidFd;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ContainerFailure.Kind;
import io.balena.engine.runtime.process.CapabilitySet;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What holds of every program that is executed into a container.
abstract class ExecContract extends RuntimeTests {
    /// Of the kind of container it is about.
    abstract Bundle bundle() throws IOException;

    /// As in `/proc/<pid>/status`.
    static String capabilities(Bundle bundle) {
        return "%016x".formatted(CapabilitySet.of(bundle.capabilities));
    }

    static String field(String status, String name) {
        return status.lines().filter(line -> line.startsWith(name + ":")).findFirst().orElseThrow().substring(name.length() + 1).strip();
    }

    /// A container that runs until it is killed.
    PidFd sleeper(String id, Bundle bundle, RuntimeFixture.Streams streams) throws IOException {
        var process = fixture.runtime.create(
                id, bundle.running("sleep", "1000").write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
        fixture.runtime.start(id);
        return process.pidFd();
    }

    @Test
    void anExecedProcessIsInsideTheContainer() throws Exception {
        String id = fixture.newId();
        var bundle = bundle();
        try (var streams = fixture.new Streams(); var first = sleeper(id, bundle, streams)) {
            String script = "for n in mnt net uts pid ipc cgroup; do readlink /proc/self/ns/$n; readlink /proc/1/ns/$n; done";
            String[] lines = fixture.exec(id, bundle.process("sh", "-c", script)).out().split("\n");
            assertEquals(12, lines.length);
            for (int i = 0; i < 12; i += 2) assertEquals(lines[i], lines[i + 1]);
            String status = fixture.exec(id, bundle.process("cat", "/proc/self/status")).out();
            assertEquals(capabilities(bundle), field(status, "CapEff"));
            assertEquals(capabilities(bundle), field(status, "CapBnd"));
            assertTrue(status.contains("SigBlk:\t0000000000000000"), status);
            assertTrue(status.contains("SigIgn:\t0000000000000000"), status);
            assertEquals("here\n", fixture.exec(id, bundle.process("sh", "-c", "read -r p _ _ _ g s _ < /proc/self/stat; [ $p = $g ] && [ $p = $s ] && echo here")).out());
            assertEquals("0\n1\n2\n3\n", fixture.exec(id, bundle.process("ls", "/proc/self/fd")).out());
            assertEquals(5, fixture.exec(id, bundle.process("sh", "-c", "exit 5")).code());
            String groups = Files.readString(Path.of("/sys/fs/cgroup/pids" + RuntimeFixture.cgroupsPath(id) + "/cgroup.procs"));
            assertEquals(first.pid() + "\n", groups);
            for (var line : fixture.exec(id, bundle.process("cat", "/proc/self/cgroup")).out().split("\n")) {
                if (!line.startsWith("0::")) assertTrue(line.endsWith(":/"), line);
            }
        }
    }

    @Test
    void anExecThatFailsSaysWhyAndLeavesTheContainerAlone() throws Exception {
        String id = fixture.newId();
        var bundle = bundle();
        try (var streams = fixture.new Streams(); var first = sleeper(id, bundle, streams)) {
            var missing = assertThrows(ContainerFailure.class, () -> fixture.exec(id, bundle.process("nix")));
            assertEquals("exec: \"nix\": executable file not found in $PATH", missing.getMessage());
            for (String trick : List.of("/proc/self/fd/3", "/proc/self/fd/4", "/proc/self/fd/5")) {
                bundle.cwd = trick;
                assertThrows(ContainerFailure.class, () -> fixture.exec(id, bundle.process("pwd")), trick);
            }
            bundle.cwd = "/nix";
            var nowhere = assertThrows(ContainerFailure.class, () -> fixture.exec(id, bundle.process("pwd")));
            assertEquals("chdir to cwd (\"/nix\") set in config.json failed: no such file or directory", nowhere.getMessage());
            bundle.cwd = "/";
            Path text = Files.writeString(bundle.rootfs.resolve("bin/text"), "text");
            Files.setPosixFilePermissions(text, PosixFilePermissions.fromString("rwxr-xr-x"));
            var wrong = assertThrows(ContainerFailure.class, () -> fixture.exec(id, bundle.process("/bin/text")));
            assertEquals("exec /bin/text: exec format error", wrong.getMessage());
            assertEquals(Kind.NOT_EXECUTABLE, wrong.kind());
            assertEquals(0, fixture.exec(id, bundle.process("true")).code());
            first.signal(9);
            assertEquals(137, first.awaitEnd());
            var stopped = assertThrows(ContainerFailure.class, () -> fixture.exec(id, bundle.process("true")));
            assertEquals(Kind.NO_SUCH_PROCESS, stopped.kind());
        }
        var unknown = assertThrows(ContainerFailure.class, () -> fixture.exec("unknown", bundle.process("true")));
        assertEquals(Kind.NO_SUCH_PROCESS, unknown.kind());
    }

    @Test
    void anExecedTerminalIsTheContainersOwn() throws Exception {
        String id = fixture.newId();
        var bundle = bundle();
        try (var streams = fixture.new Streams(); var first = sleeper(id, bundle, streams)) {
            bundle.user = new RuntimeSpec.User(1000, 1000, null, List.of());
            bundle.terminal = true;
            byte[] process = bundle.process("sh", "-c", "tty; stty size; stat -c %u /dev/pts/0; echo x > /dev/tty");
            var execed = fixture.runtime.exec(id, process, new StandardStreams.Terminal(11, 22));
            try (var master = execed.terminal().orElseThrow(); var pidFd = execed.pidFd()) {
                assertEquals("/dev/pts/0\r\n11 22\r\n1000\r\nx\r\n", RuntimeFixture.readTerminal(master));
                assertEquals(0, pidFd.awaitEnd());
            }
            first.signal(9);
            first.awaitEnd();
        }
    }
}
