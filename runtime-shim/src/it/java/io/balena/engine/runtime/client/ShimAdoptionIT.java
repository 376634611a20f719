package io.balena.engine.runtime.client;

import static io.balena.engine.runtime.client.ShimFixture.bytes;
import static io.balena.engine.runtime.client.ShimFixture.readToTheEnd;
import static io.balena.engine.runtime.client.ShimFixture.readUntil;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.ContainerState;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.container.Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// What becomes of containers when their daemon dies, and when their shim does.
class ShimAdoptionIT extends ShimTests {
    @Test
    void aDaemonThatIsKilledLeavesContainersRunningAndLogging() throws Exception {
        Bundle bundle = fixture.bundle().script("echo before; cat /fifo; echo after; exit 5");
        assertEquals(0, new ProcessBuilder("mkfifo", bundle.rootfs.resolve("fifo").toString()).start().waitFor());
        String id = ShimFixture.newId();
        Process daemon = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        StandInDaemon.class.getName(),
                        fixture.execRoot.toString(),
                        id,
                        bundle.write(ShimFixture.cgroupsPath(id)).toString(),
                        fixture.log().toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        assertEquals('b', daemon.getInputStream().read()); // the daemon is attached, and passes output on
        daemon.destroyForcibly().waitFor();

        var heard = new LinkedBlockingQueue<ShimEvent>();
        Shim next = fixture.connectAgain(heard);
        assertEquals(shim.pid(), next.pid());
        assertInstanceOf(ContainerState.Running.class, next.list().get(id));
        Files.writeString(bundle.rootfs.resolve("fifo"), "");
        assertEquals(5, ShimFixture.awaitExit(ProcessKey.container(id), heard).code());
        assertEquals(2, Files.readAllLines(fixture.log()).size());
    }

    @Test
    void anExitThatWasNotAcknowledgedIsToldToTheNextDaemon() throws Exception {
        String id = fixture.create(fixture.bundle().script("exit 9"), NOTHING);
        shim.start(id);
        ExitStatus status = fixture.awaitExit(ProcessKey.container(id));
        var heard = new LinkedBlockingQueue<ShimEvent>();
        fixture.connectAgain(heard);
        assertEquals(status, ShimFixture.awaitExit(ProcessKey.container(id), heard));
        shim.delete(ProcessKey.container(id));
        var nothing = new LinkedBlockingQueue<ShimEvent>();
        fixture.connectAgain(nothing).list();
        assertNull(nothing.poll());
    }

    @Test
    void aKilledShimIsReplacedByOneThatAdoptsItsContainers() throws Exception {
        Bundle bundle = fixture.bundle();
        String running = fixture.create(bundle.running("sleep", "1000"), NOTHING);
        shim.start(running);
        String ended = fixture.create(fixture.bundle().script("exit 6"), NOTHING);
        shim.start(ended);
        ExitStatus status = fixture.awaitExit(ProcessKey.container(ended));
        int pid = ((ContainerState.Running) shim.list().get(running)).pid();
        ProcessKey lost = ProcessKey.exec(running, "lost");
        shim.exec(lost, bundle.process("sleep", "1000"), NOTHING);
        int before = shim.pid();
        ProcessHandle dying = ProcessHandle.of(before).orElseThrow();
        AttachedStream stream = shim.attach(ProcessKey.container(running), false, true, true);
        dying.destroyForcibly();
        dying.onExit().get(10, TimeUnit.SECONDS);
        assertEquals("", readToTheEnd(stream, false));

        Map<String, ContainerState> adopted = listOfTheNextShim(before);
        assertEquals(pid, ((ContainerState.Running) adopted.get(running)).pid());
        assertEquals(new ContainerState.Stopped(status), adopted.get(ended));
        assertFalse(fixture.awaitExit(lost).known());

        ProcessKey exec = ProcessKey.exec(running, "e");
        try (AttachedStream output = shim.attach(exec, false, true, true)) {
            shim.exec(exec, bundle.process("echo", "still here"), NOTHING);
            assertEquals("still here\n", readToTheEnd(output, false));
        }
        shim.kill(ProcessKey.container(running), 9);
        assertOrphansCode(137, fixture.awaitExit(ProcessKey.container(running)));
    }

    @Test
    void aContainerThatTalksLosesNothingWhenItsShimIsReplaced() throws Exception {
        Bundle bundle = fixture.bundle().script(
                "i=0; while [ $i -lt 100000 ]; do echo line $i; i=$((i+1)); done; read x; echo got $x; exit 3");
        Stdio stdio = new Stdio(true, false, fixture.logged().log());
        String id = fixture.create(bundle, stdio);
        int before = shim.pid();
        try (AttachedStream stream = shim.attach(ProcessKey.container(id), false, true, true)) {
            shim.start(id);
            readUntil(stream, "line 10");
        }
        ProcessHandle dying = ProcessHandle.of(before).orElseThrow();
        dying.destroyForcibly();
        dying.onExit().get(10, TimeUnit.SECONDS);
        listOfTheNextShim(before);
        try (AttachedStream typing = shim.attach(ProcessKey.container(id), true, false, false)) {
            typing.write(bytes("typed\n"));
            assertOrphansCode(3, fixture.awaitExit(ProcessKey.container(id)));
        }
        // What the killed shim had read and not yet taken out of the pipe may be there twice, one piece at most; nothing is missing.
        int expected = 0;
        int repeated = 0;
        for (String line : Files.readAllLines(fixture.log())) {
            if (!line.endsWith("}")) continue; // of what it was writing then, half of which is there
            String text = new ObjectMapper().readTree(line).get("log").asText();
            if (!text.startsWith("line ")) continue;
            int number = Integer.parseInt(text.strip().substring(5));
            assertTrue(number <= expected, () -> "lines before " + number + " are missing");
            repeated += expected - number;
            expected = number + 1;
        }
        assertEquals(100_000, expected);
        assertTrue(repeated <= (64 << 10) / 7, repeated + " lines repeated");
    }

    @Test
    void aTerminalOutlivesTheShimThatMadeIt() throws Exception {
        Bundle bundle = fixture.bundle().script("trap 'echo hung up; exit 1' HUP; echo ready; read x; echo got $x; stty size; exit 3");
        bundle.terminal = true;
        Stdio stdio = new Stdio(true, false, fixture.logged().log());
        String id = fixture.create(bundle, stdio);
        int before = shim.pid();
        try (AttachedStream stream = shim.attach(ProcessKey.container(id), false, true, true)) {
            shim.start(id);
            readUntil(stream, "ready");
        }
        ProcessHandle dying = ProcessHandle.of(before).orElseThrow();
        dying.destroyForcibly();
        dying.onExit().get(10, TimeUnit.SECONDS);
        listOfTheNextShim(before);
        for (long end = System.nanoTime() + 20_000_000_000L; !hasTerminal(shim.pid()); ) {
            assertTrue(System.nanoTime() < end, "nobody has the terminal");
        }
        shim.resize(ProcessKey.container(id), 40, 120);
        try (AttachedStream stream = shim.attach(ProcessKey.container(id), true, true, true)) {
            stream.write(bytes("typed\n"));
            readUntil(stream, "40 120");
        }
        assertOrphansCode(3, fixture.awaitExit(ProcessKey.container(id)));
        String log = Files.readString(fixture.log());
        assertTrue(log.contains("ready") && log.contains("got typed") && !log.contains("hung up"), log);
    }

    @Test
    void ofSeveralDaemonsThatFindNoShimOneStartsIt() throws Exception {
        int before = shim.pid();
        shim.endIfIdle();
        ProcessHandle.of(before).ifPresent(process -> process.onExit().join());
        List<CompletableFuture<Integer>> connecting = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            var pid = new CompletableFuture<Integer>();
            connecting.add(pid);
            Thread.ofVirtual().start(() -> {
                try {
                    pid.complete(fixture.connectAgain(new LinkedBlockingQueue<>()).pid());
                } catch (Throwable e) {
                    pid.completeExceptionally(e);
                }
            });
        }
        int first = connecting.getFirst().get();
        for (var pid : connecting) assertEquals(first, pid.get());
    }

    /// Of a process whose shim has died, only a newer kernel (6.15) tells how it ended.
    private static void assertOrphansCode(int code, ExitStatus status) {
        assertEquals(status.known() ? code : 255, status.code());
    }

    private static boolean hasTerminal(int shim) throws IOException {
        try (var descriptors = Files.newDirectoryStream(Path.of("/proc/" + shim + "/fd"))) {
            for (Path descriptor : descriptors) if (Files.readSymbolicLink(descriptor).endsWith("ptmx")) return true;
        } catch (NoSuchFileException e) {
            return false; // one was closed meanwhile: the caller looks again
        }
        return false;
    }

    /// The events' thread starts the next shim by itself; a list may still fail while it does.
    private Map<String, ContainerState> listOfTheNextShim(int before) {
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (System.nanoTime() < deadline) {
            try {
                Map<String, ContainerState> containers = shim.list();
                if (shim.pid() != before) return containers;
            } catch (IOException e) {
                // not yet
            }
            Thread.onSpinWait();
        }
        throw new AssertionError("no new shim");
    }
}
