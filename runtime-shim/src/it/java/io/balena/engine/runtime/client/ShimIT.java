package io.balena.engine.runtime.client;

import static io.balena.engine.runtime.client.ShimFixture.bytes;
import static io.balena.engine.runtime.client.ShimFixture.readToTheEnd;
import static io.balena.engine.runtime.client.ShimFixture.readUntil;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ContainerState;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.container.Bundle;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The shim as its daemon sees it: a real process, real containers.
class ShimIT extends ShimTests {
    @Test
    void aContainerRunsIsLoggedAndForgotten() throws Exception {
        String id = fixture.create(fixture.bundle().script("echo one; echo two >&2; exit 7"), fixture.logged());
        assertInstanceOf(ContainerState.Created.class, shim.list().get(id));
        shim.start(id);
        ExitStatus status = fixture.awaitExit(ProcessKey.container(id));
        assertEquals(7, status.code());
        assertTrue(status.known());
        assertFalse(status.oomKilled());
        List<String> lines = Files.readAllLines(fixture.log());
        assertEquals(2, lines.size());
        for (String line : lines) {
            JsonNode json = new ObjectMapper().readTree(line);
            assertEquals(json.get("stream").asText().equals("stdout") ? "one\n" : "two\n", json.get("log").asText());
        }
        assertEquals(new ContainerState.Stopped(status), shim.list().get(id));
        shim.delete(ProcessKey.container(id));
        assertEquals(Map.of(), shim.list());
        shim.delete(ProcessKey.container(id)); // once more does nothing
    }

    @Test
    void anEngineWithoutContainersHasNoShim(@TempDir Path execRoot) throws Exception {
        try (Shim lazy = Shim.connect(execRoot, ShimFixture.command(), _ -> {})) {
            assertEquals(Map.of(), lazy.list());
            lazy.delete(ProcessKey.container("nobody"));
            assertFalse(Files.exists(execRoot.resolve("shim.sock")));
            assertThrows(ContainerFailure.class, () -> lazy.create("nobody", execRoot.resolve("no-bundle"), NOTHING));
            assertTrue(ProcessHandle.of(lazy.pid()).orElseThrow().isAlive());
            lazy.endIfIdle();
        }
    }

    @Test
    void signalsAndExitCodesAreTold() throws Exception {
        String id = fixture.create(fixture.bundle().script("trap 'exit 3' TERM; echo ready; while true; do sleep 0.05; done"), NOTHING);
        try (AttachedStream stream = shim.attach(ProcessKey.container(id), false, true, false)) {
            shim.start(id);
            readUntil(stream, "ready");
        }
        shim.kill(ProcessKey.container(id), 15);
        assertEquals(3, fixture.awaitExit(ProcessKey.container(id)).code());
        ContainerFailure failure =
                assertThrows(ContainerFailure.class, () -> shim.kill(ProcessKey.container(id), 15));
        assertEquals(ContainerFailure.Kind.NO_SUCH_PROCESS, failure.kind());

        String other = fixture.create(fixture.bundle().running("sleep", "100"), NOTHING);
        shim.start(other);
        assertInstanceOf(ContainerState.Running.class, shim.list().get(other));
        assertThrows(ContainerFailure.class, () -> shim.delete(ProcessKey.container(other)));
        shim.kill(ProcessKey.container(other), 9);
        assertEquals(137, fixture.awaitExit(ProcessKey.container(other)).code());
    }

    @Test
    void whatCannotBeCreatedOrStartedIsSaidSoAndLeavesNothing() throws Exception {
        String missing = ShimFixture.newId();
        Path noBundle = Files.createDirectory(folder.resolve("empty"));
        assertThrows(ContainerFailure.class, () -> shim.create(missing, noBundle, fixture.logged()));
        assertThrows(ContainerFailure.class, () -> shim.create("../escape", noBundle, NOTHING));
        assertEquals(Map.of(), shim.list());

        ContainerFailure noSuchProgram = assertThrows(
                ContainerFailure.class, () -> fixture.create(fixture.bundle().running("no-such-program"), NOTHING));
        assertEquals(ContainerFailure.Kind.NOT_FOUND, noSuchProgram.kind());
        assertEquals(Map.of(), shim.list());

        Bundle bundle = fixture.bundle().running("/bin/script");
        Path script = Files.writeString(bundle.rootfs.resolve("bin/script"), "#!/no/such/interpreter\n");
        assertTrue(script.toFile().setExecutable(true));
        String id = fixture.create(bundle, NOTHING);
        ContainerFailure failure = assertThrows(ContainerFailure.class, () -> shim.start(id));
        assertEquals(ContainerFailure.Kind.NOT_FOUND, failure.kind());
        assertThrows(ContainerFailure.class, () -> shim.start(id));
        shim.delete(ProcessKey.container(id));
        assertEquals(Map.of(), shim.list());
        assertNull(fixture.events.poll());
    }

    @Test
    void aContainerThatWasNeverStartedCanBeDeleted() throws Exception {
        String id = fixture.create(fixture.bundle(), NOTHING);
        ContainerState.Created created = (ContainerState.Created) shim.list().get(id);
        shim.delete(ProcessKey.container(id));
        ProcessHandle.of(created.pid()).ifPresent(process -> process.onExit().orTimeout(5, TimeUnit.SECONDS).join());
        assertEquals(Map.of(), shim.list());
    }

    @Test
    void aContainerThatIsRemovedIsEndedFirst() throws Exception {
        String running = fixture.create(fixture.bundle().script("trap '' TERM HUP; sleep 1000 & sleep 1000"), NOTHING);
        shim.start(running);
        shim.remove(running);
        assertEquals(137, fixture.awaitExit(ProcessKey.container(running)).code());
        String paused = fixture.create(fixture.bundle().running("sleep", "1000"), NOTHING);
        shim.start(paused);
        shim.pause(paused);
        shim.remove(paused);
        assertEquals(137, fixture.awaitExit(ProcessKey.container(paused)).code());
        shim.remove(fixture.create(fixture.bundle(), NOTHING));
        shim.remove("nobody");
        assertEquals(Map.of(), shim.list());
    }

    @Test
    void ofSeveralWhoRemoveAContainerAllAreAnswered() throws Exception {
        String id = fixture.create(fixture.bundle().running("sleep", "1000"), NOTHING);
        shim.start(id);
        List<CompletableFuture<Void>> removals = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            var removal = new CompletableFuture<Void>();
            removals.add(removal);
            Thread.ofVirtual().start(() -> {
                try {
                    shim.remove(id);
                    removal.complete(null);
                } catch (Throwable e) {
                    removal.completeExceptionally(e);
                }
            });
        }
        for (var removal : removals) removal.get(20, TimeUnit.SECONDS);
        assertEquals(Map.of(), shim.list());
    }

    @Test
    void aProgramThatEatsItsMemoryIsReportedAsKilledForIt() throws Exception {
        Bundle bundle = fixture.bundle().running("dd", "if=/dev/zero", "of=/dev/null", "bs=200M");
        bundle.memory = new RuntimeSpec.Memory(16L << 20, null, 16L << 20, null, null, null, null);
        String id = fixture.create(bundle, NOTHING);
        shim.start(id);
        ExitStatus status = fixture.awaitExit(ProcessKey.container(id));
        assertEquals(137, status.code());
        assertTrue(status.oomKilled());
        assertTrue(fixture.events.contains(new ShimEvent.OutOfMemory(id)));
    }

    @Test
    void theShimIsNotKilledForWhatItsContainersAreToBeKilledFor() throws Exception {
        String own = Files.readString(Path.of("/proc/" + shim.pid() + "/oom_score_adj"));
        Bundle bundle = fixture.bundle().running("sleep", "100");
        bundle.oomScoreAdj = 700;
        String id = fixture.create(bundle, NOTHING);
        assertEquals(own, Files.readString(Path.of("/proc/" + shim.pid() + "/oom_score_adj")));
        shim.start(id);
        assertEquals(own, Files.readString(Path.of("/proc/" + shim.pid() + "/oom_score_adj")));
        int pid = ((ContainerState.Running) shim.list().get(id)).pid();
        assertEquals("700", Files.readString(Path.of("/proc/" + pid + "/oom_score_adj")).strip());
    }

    @Test
    void anExecIsHeardFromItsFirstByteAndHasItsOwnExit() throws Exception {
        Bundle bundle = fixture.bundle();
        String id = fixture.create(bundle.running("sleep", "100"), NOTHING);
        shim.start(id);
        for (int i = 0; i < 5; i++) {
            ProcessKey key = ProcessKey.exec(id, "exec" + i);
            try (AttachedStream stream = shim.attach(key, false, true, true)) {
                assertTrue(shim.exec(key, bundle.process("sh", "-c", "echo hello; exit 4"), NOTHING) > 0);
                assertEquals("hello\n", readToTheEnd(stream, false));
            }
            assertEquals(4, fixture.awaitExit(key).code());
            shim.delete(key);
        }
        ProcessKey echo = ProcessKey.exec(id, "echo");
        try (AttachedStream stream = shim.attach(echo, true, true, true)) {
            shim.exec(echo, bundle.process("cat"), INTERACTIVE);
            stream.write(bytes("back and forth"));
            stream.closeStdin();
            assertEquals("back and forth", readToTheEnd(stream, false));
        }
        ProcessKey wrong = ProcessKey.exec(id, "wrong");
        try (AttachedStream stream = shim.attach(wrong, false, true, true)) {
            assertThrows(ContainerFailure.class, () -> shim.exec(wrong, bundle.process("no-such-program"), NOTHING));
            assertEquals("", readToTheEnd(stream, false));
        }
    }

    @Test
    void execsEndWithTheirContainer() throws Exception {
        Bundle bundle = fixture.bundle();
        String id = fixture.create(bundle.running("sleep", "100"), NOTHING);
        shim.start(id);
        ProcessKey exec = ProcessKey.exec(id, "e");
        shim.exec(exec, bundle.process("sleep", "100"), NOTHING);
        shim.kill(ProcessKey.container(id), 9);
        assertEquals(137, fixture.awaitExit(exec).code());
        assertEquals(137, fixture.awaitExit(ProcessKey.container(id)).code());
    }

    @Test
    void aPausedContainerStandsStill() throws Exception {
        String id = fixture.create(fixture.bundle().script("while true; do echo tick; sleep 0.01; done"), NOTHING);
        try (AttachedStream stream = shim.attach(ProcessKey.container(id), false, true, true)) {
            shim.start(id);
            readUntil(stream, "tick");
            shim.pause(id);
            assertInstanceOf(ContainerState.Paused.class, shim.list().get(id));
            shim.resume(id);
            assertInstanceOf(ContainerState.Running.class, shim.list().get(id));
            readUntil(stream, "tick");
        }
    }

    @Test
    void theShimHasItsOwnSessionAndHoldsNothingOfItsDaemon() throws Exception {
        String stat = Files.readString(Path.of("/proc/" + shim.pid() + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        assertEquals(String.valueOf(shim.pid()), fields[3], "session");
        assertEquals("0", fields[4], "terminal");
        assertEquals("/", Files.readSymbolicLink(Path.of("/proc/" + shim.pid() + "/cwd")).toString());
        for (int fd = 0; fd < 2; fd++) {
            assertEquals("/dev/null", Files.readSymbolicLink(Path.of("/proc/" + shim.pid() + "/fd/" + fd)).toString());
        }
    }

    @Test
    void twoHundredContainersNeedNoThreadsOfTheirOwn() throws Exception {
        Bundle bundle = fixture.bundle().running("sleep", "1000");
        bundle.namespaces.removeIf(namespace -> namespace.type().equals("network"));
        List<String> ids = new ArrayList<>();
        long memoryBefore = 0;
        for (int i = 0; i < 200; i++) {
            if (i == 20) memoryBefore = privateMemory();
            String id = fixture.create(bundle, fixture.logged());
            shim.start(id);
            ids.add(id);
        }
        int threads = threads();
        long perContainer = (privateMemory() - memoryBefore) / 180;
        assertTrue(threads < 30, threads + " threads");
        assertTrue(perContainer < 64 << 10, perContainer + " bytes per container");
        assertEquals(200, shim.list().size());
        for (String id : ids) shim.kill(ProcessKey.container(id), 9);
        for (String id : ids) {
            assertEquals(137, fixture.awaitExit(ProcessKey.container(id)).code());
            shim.delete(ProcessKey.container(id));
        }
        assertEquals(Map.of(), shim.list());
    }

    private int threads() throws IOException {
        return Path.of("/proc/" + shim.pid() + "/task").toFile().list().length;
    }

    private long privateMemory() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + shim.pid() + "/smaps_rollup"))) {
            if (line.startsWith("Private_Dirty:")) return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
        }
        throw new AssertionError();
    }
}
