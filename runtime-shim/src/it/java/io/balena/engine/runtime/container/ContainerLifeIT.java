package io.balena.engine.runtime.container;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.ProcessId;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ContainerFailure.Kind;
import io.balena.engine.runtime.cgroup.Hierarchies;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// From create to delete, and everything that can go wrong in between.
@Timeout(60)
class ContainerLifeIT extends RuntimeTests {
    @Test
    void aProgramRunsAndItsExitCodeArrives() throws Exception {
        assertEquals(0, fixture.run(fixture.bundle()).code());
        assertEquals(1, fixture.run(fixture.bundle().running("false")).code());
        assertEquals(7, fixture.run(fixture.bundle().script("exit 7")).code());
        assertEquals(137, fixture.run(fixture.bundle().script("ulimit -t 1; while :; do :; done")).code());
    }

    @Test
    void stdoutAndStderrStayApart() throws Exception {
        var ended = fixture.run(fixture.bundle().script("echo one; echo two >&2"));
        assertEquals("one\n", ended.out());
        assertEquals("two\n", ended.err());
    }

    private ContainerFailure failure(Bundle bundle) {
        return assertThrows(ContainerFailure.class, () -> fixture.run(bundle));
    }

    private void assertFailure(Kind kind, String message, Bundle bundle) {
        var failure = failure(bundle);
        assertEquals(message, failure.getMessage());
        assertEquals(kind, failure.kind());
    }

    @Test
    void aProgramThatCannotRunIsReportedInRuncsWords() throws Exception {
        assertFailure(
                Kind.NOT_FOUND, "exec: \"nix\": executable file not found in $PATH", fixture.bundle().running("nix"));
        assertFailure(
                Kind.NOT_FOUND, "exec: \"/nix\": stat /nix: no such file or directory", fixture.bundle().running("/nix"));
        assertFailure(Kind.NOT_EXECUTABLE, "exec: \"/etc\": permission denied", fixture.bundle().running("/etc"));
        var bundle = fixture.bundle();
        Files.writeString(bundle.rootfs.resolve("bin/text"), "no program");
        assertFailure(Kind.NOT_EXECUTABLE, "exec: \"/bin/text\": permission denied", bundle.running("/bin/text"));
        // In a search, what cannot be executed is passed over.
        assertFailure(Kind.NOT_FOUND, "exec: \"text\": executable file not found in $PATH", bundle.running("text"));
        Files.setPosixFilePermissions(bundle.rootfs.resolve("bin/text"), PosixFilePermissions.fromString("rwxr-xr-x"));
        assertFailure(Kind.NOT_EXECUTABLE, "exec /bin/text: exec format error", bundle.running("/bin/text"));
        Files.writeString(bundle.rootfs.resolve("bin/text"), "#!/no/interpreter\n");
        assertFailure(Kind.NOT_FOUND, "exec /bin/text: no such file or directory", bundle.running("/bin/text"));
        assertFailure(Kind.NOT_FOUND, "exec: \"\": executable file not found in $PATH", fixture.bundle().running(""));
    }

    @Test
    void aProgramThatOnlyRootMayExecuteIsDeniedToOthers() throws Exception {
        var bundle = fixture.bundle().running("/bin/mine");
        Files.copy(Bundle.BUSYBOX, bundle.rootfs.resolve("bin/mine"));
        Files.setPosixFilePermissions(bundle.rootfs.resolve("bin/mine"), PosixFilePermissions.fromString("rwx------"));
        bundle.user = new RuntimeSpec.User(1000, 1000, null, List.of());
        assertFailure(Kind.NOT_EXECUTABLE, "exec: \"/bin/mine\": permission denied", bundle);
    }

    @Test
    void theSearchUsesTheContainersPathAndWorkingFolder() throws Exception {
        var bundle = fixture.bundle().running("mine");
        Files.createDirectories(bundle.rootfs.resolve("opt/mine"));
        Path mine = Files.writeString(bundle.rootfs.resolve("root/mine"), "#!/bin/true\n");
        Files.setPosixFilePermissions(mine, PosixFilePermissions.fromString("rwxr-xr-x"));
        bundle.env = List.of("PATH=/opt::/root");
        assertEquals(0, fixture.run(bundle).code());
        bundle.running("./mine").cwd = "/root";
        assertEquals(0, fixture.run(bundle).code());
    }

    @Test
    void aFailingMountIsNamed() throws Exception {
        var bundle = fixture.bundle();
        bundle.mounts.add(new RuntimeSpec.Mount("/mnt", "nofs", "nofs", List.of()));
        assertEquals("mount nofs on /mnt: No such device (ENODEV)", failure(bundle).getMessage());
        bundle = fixture.bundle();
        bundle.mounts.add(new RuntimeSpec.Mount("/mnt", "bind", "/no/such/source", List.of("rbind")));
        assertEquals(
                "bind mount source /no/such/source: No such file or directory (ENOENT)", failure(bundle).getMessage());
    }

    /// What a container leaves in the system while it exists.
    private Set<String> traces() throws IOException {
        Set<String> traces = new TreeSet<>();
        for (var hierarchy : Hierarchies.read().v1()) {
            Path parent = hierarchy.mount().resolve(RuntimeFixture.CGROUP);
            if (!Files.exists(parent)) continue;
            try (var groups = Files.list(parent)) {
                groups.filter(Files::isDirectory).forEach(g -> traces.add(g.toString()));
            }
        }
        for (String mount : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
            if (mount.contains(folder.toString())) traces.add(mount);
        }
        traces.addAll(StateFile.ids(fixture.stateRoot));
        ProcessHandle.current().children().forEach(child -> traces.add("child " + child.pid()));
        return traces;
    }

    @Test
    void aCreationThatFailsLeavesNothing() throws Exception {
        fixture.run(fixture.bundle());
        var before = traces();
        var failing = new ArrayList<Bundle>();
        failing.add(fixture.bundle().running("nix"));
        failing.add(fixture.bundle());
        failing.getLast().mounts.add(new RuntimeSpec.Mount("/mnt", "nofs", "nofs", List.of()));
        failing.add(fixture.bundle());
        failing.getLast().memory = new RuntimeSpec.Memory(-77L, null, null, null, null, null, null);
        failing.add(fixture.bundle());
        failing.getLast().rlimits = List.of(new RuntimeSpec.Rlimit("RLIMIT_NONSENSE", 1, 1));
        failing.add(fixture.bundle());
        failing.getLast().rlimits = List.of(new RuntimeSpec.Rlimit("RLIMIT_NOFILE", 2, 1));
        failing.add(fixture.bundle());
        failing.getLast().namespaces.add(new RuntimeSpec.Namespace("mount", null));
        failing.add(fixture.bundle());
        failing.getLast().cwd = "/bin/busybox";
        for (var bundle : failing) failure(bundle);
        assertEquals(before, traces());
    }

    @Test
    void aMalformedConfigurationIsRefused() throws Exception {
        var streams = fixture.new Streams();
        var bundle = fixture.bundle();
        for (String config : List.of(
                "", "nonsense", "[]", "{\"process\":{\"args\":\"true\"}}", "{\"root\":7}", "{\"process\":{\"user\":{\"uid\":\"x\"}}}", "{")) {
            Files.writeString(bundle.folder.resolve("config.json"), config);
            String id = fixture.newId();
            assertThrows(ContainerFailure.class, () -> fixture.runtime.create(id, bundle.folder, streams.pipes()), config);
        }
        Files.delete(bundle.folder.resolve("config.json"));
        assertThrows(
                ContainerFailure.class, () -> fixture.runtime.create(fixture.newId(), bundle.folder, streams.pipes()));
        for (String id : List.of("", "..", "a/b", "a b", "a\0b")) {
            assertThrows(ContainerFailure.class, () -> fixture.runtime.create(id, bundle.folder, streams.pipes()), id);
        }
        streams.close();
        assertEquals(List.of(), StateFile.ids(fixture.stateRoot));
    }

    @Test
    void anIdCanBeUsedOnlyOnceAtATime() throws Exception {
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            Path bundle = fixture.bundle().write(RuntimeFixture.cgroupsPath(id));
            var first = fixture.runtime.create(id, bundle, streams.pipes());
            assertThrows(ContainerFailure.class, () -> fixture.runtime.create(id, bundle, streams.pipes()));
            // The attempt did no harm to the one that is there.
            fixture.runtime.start(id);
            assertEquals(0, first.pidFd().awaitEnd());
            fixture.runtime.delete(id);
            fixture.runtime.create(id, bundle, streams.pipes());
        }
    }

    @Test
    void aControlGroupThatIsInUseOrWouldHoldTheHostIsRefused() throws Exception {
        String id = fixture.newId();
        var bundle = fixture.bundle();
        try (var streams = fixture.new Streams(); var first = sleeper(id, bundle, streams)) {
            for (String path : List.of(RuntimeFixture.cgroupsPath(id), "/", "//", "/" + RuntimeFixture.CGROUP + "/../..", ".")) {
                bundle.write(path);
                assertThrows(
                        ContainerFailure.class,
                        () -> fixture.runtime.create(fixture.newId(), bundle.folder, streams.pipes()),
                        path);
            }
            assertEquals(0, fixture.exec(id, bundle.process("true")).code());
            first.signal(9);
            first.awaitEnd();
        }
    }

    @Test
    void aCreatedContainerWaitsWithItsNetworkNamespaceReady() throws Exception {
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            var bundle = fixture.bundle().running("echo", "ran");
            var process = fixture.runtime.create(id, bundle.write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
            Path net = Path.of("/proc/" + process.pidFd().pid() + "/ns/net");
            assertFalse(Files.readSymbolicLink(net).equals(Files.readSymbolicLink(Path.of("/proc/self/ns/net"))));
            fixture.runtime.start(id);
            assertEquals("ran\n", streams.await(process.pidFd()).out());
            assertThrows(ContainerFailure.class, () -> fixture.runtime.start(id));
        }
    }

    @Test
    void deletingACreatedContainerEndsIt() throws Exception {
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            var bundle = fixture.bundle().script("echo ran");
            var process = fixture.runtime.create(id, bundle.write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
            fixture.runtime.delete(id);
            assertEquals(new RuntimeFixture.Ended(137, "", ""), streams.await(process.pidFd()));
            fixture.runtime.delete(id);
        }
    }

    @Test
    void deleteEndsWhateverIsLeft() throws Exception {
        String id = fixture.newId();
        try (var streams = fixture.new Streams()) {
            var bundle = fixture.bundle();
            // In the pid namespace of the host nothing ends with the first process.
            bundle.namespaces.removeIf(n -> n.type().equals("pid"));
            bundle.script("sleep 1000 & sleep 1000 & exit 3");
            var process = fixture.runtime.create(id, bundle.write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
            fixture.runtime.start(id);
            assertEquals(3, process.pidFd().awaitEnd());
            fixture.runtime.delete(id);
            assertFalse(Files.exists(Path.of("/sys/fs/cgroup/pids" + RuntimeFixture.cgroupsPath(id))));
        }
    }

    /// A container that runs until it is killed.
    private PidFd sleeper(String id, Bundle bundle, RuntimeFixture.Streams streams) throws IOException {
        var process = fixture.runtime.create(
                id, bundle.running("sleep", "1000").write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
        fixture.runtime.start(id);
        return process.pidFd();
    }

    @Test
    void aPausedContainerStandsStillAndCanBeDeleted() throws Exception {
        String id = fixture.newId();
        var bundle = fixture.bundle();
        try (var streams = fixture.new Streams(); var first = sleeper(id, bundle, streams)) {
            fixture.runtime.pause(id);
            assertEquals("FROZEN\n", Files.readString(
                    Path.of("/sys/fs/cgroup/freezer" + RuntimeFixture.cgroupsPath(id) + "/freezer.state")));
            assertThrows(ContainerFailure.class, () -> fixture.exec(id, bundle.process("true")));
            fixture.runtime.resume(id);
            assertEquals(0, fixture.exec(id, bundle.process("true")).code());
            fixture.runtime.pause(id);
            fixture.runtime.delete(id);
            assertEquals(137, first.awaitEnd());
        }
    }

    @Test
    void aLaterRuntimeFindsWhatStillRuns() throws Exception {
        String running = fixture.newId();
        String ended = fixture.newId();
        var bundle = fixture.bundle();
        try (var streams = fixture.new Streams();
                var first = sleeper(running, bundle, streams);
                var second = sleeper(ended, fixture.bundle(), streams)) {
            second.signal(9);
            second.awaitEnd();
            var later = new OciRuntime(fixture.stateRoot);
            var found = later.recover();
            assertEquals(Set.of(running), found.keySet());
            try (var process = found.get(running).pidFd()) {
                assertEquals(first.pid(), process.pid());
            }
            try (var execed = later.exec(running, bundle.process("true"), streams.pipes()).pidFd()) {
                assertEquals(0, execed.awaitEnd());
            }
            later.delete(ended);
            assertEquals(List.of(running), StateFile.ids(fixture.stateRoot));
            first.signal(9);
            first.awaitEnd();
        }
    }

    @Test
    void aPidThatWasGivenToAnotherProcessIsNotTakenForOurs() throws Exception {
        int own = (int) ProcessHandle.current().pid();
        var mine = ProcessId.of(own).orElseThrow();
        try (var opened = mine.open().orElseThrow()) {
            assertEquals(own, opened.pid());
        }
        assertTrue(new ProcessId(own, mine.startTicks() + 1).open().isEmpty());
    }

    @Test
    void runningOutOfMemoryIsNoticed() throws Exception {
        String id = fixture.newId();
        var bundle = fixture.bundle().script("head -c 100000000 /dev/zero > /dev/shm/big; x=$(cat /dev/shm/big /dev/zero)");
        bundle.memory = new RuntimeSpec.Memory(16777216L, null, 16777216L, null, null, null, null);
        try (var streams = fixture.new Streams()) {
            var process = fixture.runtime.create(id, bundle.write(RuntimeFixture.cgroupsPath(id)), streams.pipes());
            try (var event = fixture.runtime.watchOutOfMemory(id).orElseThrow()) {
                fixture.runtime.start(id);
                assertTrue(process.pidFd().awaitEnd() != 0);
                assertTrue(fixture.runtime.outOfMemoryKills(id) > 0);
                // An eventfd has 8 bytes once it is readable.
                assertEquals(8, event.read(new byte[8]));
            }
        }
    }

    @Test
    void aTerminalIsTheContainersOwn() throws Exception {
        String id = fixture.newId();
        var bundle = fixture.bundle().script("tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo all; "
                + "grep -c /dev/console /proc/self/mountinfo; echo to the console > /dev/console; echo $$ > /dev/tty");
        bundle.terminal = true;
        Path written = bundle.write(RuntimeFixture.cgroupsPath(id));
        var process = fixture.runtime.create(id, written, new StandardStreams.Terminal(33, 99));
        try (var master = process.terminal().orElseThrow(); var pidFd = process.pidFd()) {
            fixture.runtime.start(id);
            assertEquals(
                    "/dev/pts/0\r\n33 99\r\nall\r\n1\r\nto the console\r\n1\r\n", RuntimeFixture.readTerminal(master));
            assertEquals(0, pidFd.awaitEnd());
        }
    }

    @Test
    void manyContainersLeakNothing() throws Exception {
        var bundle = fixture.bundle();
        for (int i = 0; i < 5; i++) fixture.run(bundle);
        System.gc();
        int descriptors = count("/proc/self/fd");
        int threads = count("/proc/self/task");
        int mappings = Files.readAllLines(Path.of("/proc/self/maps")).size();
        var before = traces();
        for (int i = 0; i < 200; i++) assertEquals(0, fixture.run(bundle).code());
        System.gc();
        assertTrue(count("/proc/self/fd") <= descriptors, "descriptors");
        assertTrue(count("/proc/self/task") <= threads + 1, "threads");
        assertTrue(Files.readAllLines(Path.of("/proc/self/maps")).size() < mappings + 30, "mappings");
        assertEquals(before, traces());
    }

    private static int count(String folder) {
        return new java.io.File(folder).list().length;
    }

    @Test
    void severalAtOnceDoNotDisturbEachOther() throws Exception {
        List<Bundle> bundles = List.of(fixture.bundle(), fixture.bundle(), fixture.bundle(), fixture.bundle());
        try (var pool = Executors.newFixedThreadPool(4)) {
            List<Future<Integer>> runs = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                int number = i;
                // Run one after the other by each bundle, all bundles at once.
                Callable<Integer> run = () -> {
                    var bundle = bundles.get(number % 4);
                    synchronized (bundle) {
                        return fixture.run(bundle.script("exit " + number)).code();
                    }
                };
                runs.add(pool.submit(run));
            }
            for (int i = 0; i < 40; i++) assertEquals(i, runs.get(i).get());
        }
    }
}
