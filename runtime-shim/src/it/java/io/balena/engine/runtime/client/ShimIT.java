package io.balena.engine.runtime.client;

import static io.balena.engine.runtime.client.ShimFixture.bytes;
import static io.balena.engine.runtime.client.ShimFixture.readToTheEnd;
import static io.balena.engine.runtime.client.ShimFixture.readUntil;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
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
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.container.Bundle;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The shim as its daemon sees it: a real process, real containers.
@Timeout(60)
class ShimIT {
    private static final Stdio NOTHING = new Stdio(false, false, Optional.empty());
    private static final Stdio INTERACTIVE = new Stdio(true, true, Optional.empty());

    @TempDir static Path shared;
    private static ShimFixture fixture;
    private Shim shim;
    private Path folder;

    @BeforeAll
    static void startAShim() throws IOException {
        fixture = new ShimFixture(shared);
    }

    @BeforeEach
    void useIt(TestInfo test) throws IOException {
        shim = fixture.shim;
        folder = fixture.newFolder(test.getTestMethod().orElseThrow().getName());
    }

    @AfterEach
    void removeContainers() throws Exception {
        fixture.removeContainers();
    }

    @AfterAll
    static void endIt() throws Exception {
        if (fixture != null) fixture.close();
    }

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
    void aHundredMegabytesThroughCatArriveIntact() throws Exception {
        String id = fixture.create(fixture.bundle().running("cat"), INTERACTIVE);
        byte[] block = new byte[1 << 20];
        new Random(3).nextBytes(block);
        try (AttachedStream stream = shim.attach(ProcessKey.container(id), true, true, true)) {
            shim.start(id);
            MessageDigest sent = MessageDigest.getInstance("SHA-256");
            Thread writer = Thread.ofVirtual().start(() -> {
                try {
                    for (int i = 0; i < 100; i++) {
                        block[i] = (byte) i;
                        sent.update(block);
                        stream.write(ByteBuffer.wrap(block));
                    }
                    stream.closeStdin();
                } catch (IOException e) {
                    throw new RuntimeException(e);
                }
            });
            MessageDigest received = MessageDigest.getInstance("SHA-256");
            ByteBuffer header = ByteBuffer.allocate(8);
            ByteBuffer payload = ByteBuffer.allocate(64 << 10);
            long total = 0;
            while (fill(stream, header.clear())) {
                assertTrue(fill(stream, payload.clear().limit(header.getInt(4))));
                received.update(payload.flip());
                total += payload.limit();
            }
            writer.join();
            assertEquals(100L << 20, total);
            assertArrayEquals(sent.digest(), received.digest());
        }
        assertEquals(0, fixture.awaitExit(ProcessKey.container(id)).code());
    }

    @Test
    void aTerminalHasItsSizeAndHearsWhatIsTyped() throws Exception {
        Bundle bundle = fixture.bundle().script("tty; read x; stty size; echo got $x");
        bundle.terminal = true;
        String id = fixture.create(bundle, INTERACTIVE);
        try (AttachedStream stream = shim.attach(ProcessKey.container(id), true, true, true)) {
            shim.start(id);
            readUntil(stream, "/dev/");
            shim.resize(ProcessKey.container(id), 40, 123);
            stream.write(bytes("typed\n"));
            String output = readToTheEnd(stream, true);
            assertTrue(output.contains("40 123\r\n"), output);
            assertTrue(output.contains("got typed\r\n"), output);
        }
        assertEquals(0, fixture.awaitExit(ProcessKey.container(id)).code());
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

    /// Of a process whose shim has died, only a newer kernel (6.15) tells how it ended.
    private static void assertOrphansCode(int code, ExitStatus status) {
        assertEquals(status.known() ? code : 255, status.code());
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
    void whatANewerDaemonAsksForIsAnsweredWithAnErrorAndTheNextRequestIsServed() throws Exception {
        shim.pid();
        try (ShimLine line = ShimLine.open(fixture.execRoot.resolve("shim.sock"))) {
            var refused = assertThrows(ContainerFailure.class, () -> line.ask(Message.of(63).text(120, "of a field that nobody knows yet")));
            assertEquals("this shim does not know request 63", refused.getMessage());
            assertEquals(Protocol.DONE, line.ask(Message.of(Protocol.LIST).number(121, 5)).kind());
        }
    }

    @Test
    void whateverAClientSendsTheShimGoesOn() throws Exception {
        String id = fixture.create(fixture.bundle().running("sleep", "100"), NOTHING);
        shim.start(id);
        Random random = new Random(5);
        var address = UnixDomainSocketAddress.of(fixture.execRoot.resolve("shim.sock"));
        for (int i = 0; i < 300; i++) {
            try (SocketChannel channel = SocketChannel.open(address)) {
                if (i % 3 > 0) channel.write(ByteBuffer.wrap(Protocol.hello().encode()));
                byte[] garbage = new byte[1 + random.nextInt(200)];
                random.nextBytes(garbage);
                if (i % 3 == 2) {
                    // A request of a known kind, with garbage for fields.
                    byte[] request = Message.of(2 + random.nextInt(11)).bytes(random.nextInt(30), garbage).encode();
                    if (request[4] == Protocol.LEAVE_IF_IDLE) continue;
                    channel.write(ByteBuffer.wrap(request, 0, random.nextBoolean() ? request.length : request.length / 2));
                } else {
                    channel.write(ByteBuffer.wrap(garbage));
                }
            } catch (IOException e) {
                // It may well close the connection before everything was written.
            }
        }
        assertInstanceOf(ContainerState.Running.class, shim.list().get(id));
        assertEquals(1, shim.list().size());
    }

    @Test
    void thousandsOfRequestsAtOnceAreAnsweredOneByOne() throws Exception {
        var requests = new java.io.ByteArrayOutputStream();
        requests.writeBytes(Protocol.hello().encode());
        for (int i = 0; i < 10_000; i++) requests.writeBytes(Message.of(Protocol.LIST).encode());
        int answerBytes = Message.of(Protocol.DONE).encode().length;
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(fixture.execRoot.resolve("shim.sock")))) {
            Thread.ofVirtual().start(() -> {
                try {
                    channel.write(ByteBuffer.wrap(requests.toByteArray()));
                } catch (IOException e) {
                    throw new RuntimeException(e);
                }
            });
            ByteBuffer answers = ByteBuffer.allocate(10_000 * answerBytes);
            while (answers.hasRemaining()) assertTrue(channel.read(answers) > 0);
        }
        assertEquals(Map.of(), shim.list());
    }

    @Test
    void aFullDiskStopsTheLogAndNothingElse() throws Exception {
        Path disk = Files.createDirectory(folder.resolve("disk"));
        Bundle bundle = fixture.bundle().script(
                "i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done; cat /fifo; echo the end");
        assertEquals(0, new ProcessBuilder("mkfifo", bundle.rootfs.resolve("fifo").toString()).start().waitFor());
        assertEquals(0, new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk.toString()).start().waitFor());
        try {
            Path log = disk.resolve("log");
            Path ballast = Files.write(disk.resolve("ballast"), new byte[20_000]);
            String id = fixture.create(bundle, new Stdio(false, false, Optional.of(Stdio.Log.jsonFile(log))));
            shim.start(id);
            Path fifo = bundle.rootfs.resolve("fifo");
            try (var gate = Files.newOutputStream(fifo)) { // opens when the container has come that far
                // Of what the shim is writing at this very moment, half a line may be seen.
                for (long end = System.nanoTime() + 20_000_000_000L; !hasOnlyWholeLines(log); ) {
                    assertTrue(System.nanoTime() < end, "half a line stays in the log");
                }
                Files.delete(ballast);
                gate.flush();
            }
            assertEquals(0, fixture.awaitExit(ProcessKey.container(id)).code());
            List<String> lines = Files.readAllLines(log);
            assertTrue(lines.size() < 1000, lines.size() + " lines");
            assertTrue(lines.getLast().contains("the end"), lines.getLast());
            for (String line : lines) new ObjectMapper().readTree(line);
            String said = Files.readString(fixture.execRoot.resolve("shim.log"));
            assertEquals(1, said.split("output is dropped", -1).length - 1, said);
        } finally {
            new ProcessBuilder("umount", "-l", disk.toString()).start().waitFor();
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

    /// The events' thread starts the next shim by itself; a list may still fail while it does.
    private static boolean hasOnlyWholeLines(Path log) throws IOException {
        try {
            for (String line : Files.readAllLines(log)) new ObjectMapper().readTree(line);
            return true;
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            return false;
        }
    }

    private static boolean hasTerminal(int shim) throws IOException {
        try (var descriptors = Files.newDirectoryStream(Path.of("/proc/" + shim + "/fd"))) {
            for (Path descriptor : descriptors) if (Files.readSymbolicLink(descriptor).endsWith("ptmx")) return true;
        } catch (NoSuchFileException e) {
            return false; // one was closed meanwhile: the caller looks again
        }
        return false;
    }

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

    private static boolean fill(AttachedStream stream, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (stream.read(buffer) < 0) return false;
        }
        return true;
    }
}
