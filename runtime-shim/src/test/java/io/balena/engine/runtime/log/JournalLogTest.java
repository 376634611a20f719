package io.balena.engine.runtime.log;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The sending side, with a socket of Python's in the journal's place: it reads when it is told to.
@Timeout(60)
class JournalLogTest {
    private static final String JOURNAL = """
            import array, os, socket, sys
            journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            if os.path.exists(sys.argv[1]): os.unlink(sys.argv[1])
            journal.bind(sys.argv[1])
            print("ready", flush=True)
            for command in sys.stdin:
                entry, control, _, _ = journal.recvmsg(1 << 20, 64)
                for _, _, rights in control:
                    fd = array.array("i", rights)[0]
                    entry = os.pread(fd, 1 << 24, 0)
                    os.close(fd)
                print(entry.hex(), flush=True)
            """;

    @TempDir Path folder;
    private final List<Process> journals = new ArrayList<>();
    private final JsonText text = new JsonText(1024);
    private EventLoop loop;
    private Thread looping;
    private JournalSender sender;

    @BeforeEach
    void startTheLoop() throws IOException {
        var diagnostics = new Diagnostics(System.err);
        loop = new EventLoop(diagnostics);
        sender = new JournalSender(folder.resolve("socket"), new io.balena.engine.linux.NativeBuffer(64 << 10), loop, diagnostics);
        looping = Thread.ofPlatform().start(() -> {
            try {
                loop.run();
            } catch (IOException e) {
                e.printStackTrace();
            }
        });
    }

    @AfterEach
    void end() throws Exception {
        for (Process journal : journals) journal.destroyForcibly().waitFor();
        loop.execute(loop::end);
        looping.join();
    }

    @Test
    void anEntryHasTheFieldsOfItsContainerAndOneOfSeveralLinesIsWhole() throws Exception {
        Journal journal = new Journal();
        JournalLog log = log(Map.of("CONTAINER_NAME", "web", "LABEL", "two\nlines"), 0);
        write(log, "stderr", "oops\n");
        assertEquals("PRIORITY=3\nMESSAGE=oops\nCONTAINER_NAME=web\nLABEL\n\u0009\0\0\0\0\0\0\0two\nlines\n", journal.next());
        write(log, "stdout", "a".repeat(16384) + "b\n");
        String first = journal.next();
        assertTrue(first.matches("(?s)PRIORITY=6\nMESSAGE=a{16384}\n.*CONTAINER_PARTIAL_ID=[0-9a-f]{64}\nCONTAINER_PARTIAL_ORDINAL=1\n"
                + "CONTAINER_PARTIAL_LAST=false\nCONTAINER_PARTIAL_MESSAGE=true\n"), first.substring(16384));
        assertTrue(journal.next().endsWith("\nCONTAINER_PARTIAL_ORDINAL=2\nCONTAINER_PARTIAL_LAST=true\n"));
    }

    @Test
    void anEntryTooLongForADatagramIsHandedOverAsAFile() throws Exception {
        Journal journal = new Journal();
        String label = "x".repeat(1_000_000);
        write(log(Map.of("LABEL", label), 0), "stdout", "hello\n");
        assertEquals("PRIORITY=6\nMESSAGE=hello\nLABEL=" + label + "\n", journal.next());
    }

    @Test
    void whatTheJournalDoesNotTakeYetWaitsAndArrivesInOrder() throws Exception {
        Journal journal = new Journal();
        JournalLog log = log(Map.of(), 0);
        write(log, "stdout", lines(0, 3000));
        assertTrue(onLoop(log::isFull), "the container has to wait");
        for (int i = 0; i < 3000; i++) assertEquals("PRIORITY=6\nMESSAGE=" + i + "\n", journal.next());
        assertFalse(onLoop(log::isFull));
    }

    @Test
    void nothingIsLostWhenTheJournalIsStartedAnew() throws Exception {
        Journal first = new Journal();
        JournalLog log = log(Map.of(), 0);
        write(log, "stdout", "before\n");
        assertEquals("PRIORITY=6\nMESSAGE=before\n", first.next());
        first.process.destroyForcibly().waitFor();
        Files.delete(folder.resolve("socket"));
        write(log, "stdout", "while it\nis away\n");
        assertTrue(onLoop(log::isFull));
        Journal second = new Journal();
        assertEquals("PRIORITY=6\nMESSAGE=while it\n", second.next());
        assertEquals("PRIORITY=6\nMESSAGE=is away\n", second.next());
    }

    @Test
    void inModeNonBlockingTheContainerNeverWaitsAndWholeLinesAreDropped() throws Exception {
        Journal journal = new Journal();
        JournalLog log = log(Map.of(), 10_000);
        for (int i = 0; i < 100; i++) {
            write(log, "stdout", lines(1000 * i, 1000 * i + 1000));
            assertFalse(onLoop(log::isFull));
        }
        int last = -1;
        int seen = 0;
        write(log, "stdout", "");
        for (String entry = journal.next(); ; entry = journal.next()) {
            assertTrue(entry.matches("PRIORITY=6\nMESSAGE=\\d+\n"), entry);
            int number = Integer.parseInt(entry.strip().substring(19));
            assertTrue(number > last, number + " after " + last);
            last = number;
            if (++seen == 1000) break;
        }
    }

    private static String lines(int from, int to) {
        return String.join("", IntStream.range(from, to).mapToObj(i -> i + "\n").toList());
    }

    private JournalLog log(Map<String, String> fields, int bufferBytes) {
        return new JournalLog(fields, bufferBytes, text, sender, loop);
    }

    private final java.util.Map<String, LogSink.Source> sources = new java.util.HashMap<>();

    private void write(JournalLog log, String stream, String output) throws Exception {
        byte[] bytes = output.getBytes(UTF_8);
        LogSink.Source source = sources.computeIfAbsent(stream + System.identityHashCode(log), _ -> log.source(stream));
        onLoop(() -> {
            log.write(source, bytes, bytes.length);
            return null;
        });
    }

    private <T> T onLoop(java.util.concurrent.Callable<T> work) throws Exception {
        var task = new java.util.concurrent.FutureTask<>(work);
        loop.execute(task);
        return task.get(30, TimeUnit.SECONDS);
    }

    private final class Journal {
        private final Process process;
        private final BufferedReader out;
        private final PrintStream in;

        Journal() throws Exception {
            assumeTrue(Files.isExecutable(Path.of("/usr/bin/python3")), "needs python3");
            process = new ProcessBuilder("/usr/bin/python3", "-c", JOURNAL, folder.resolve("socket").toString())
                    .redirectError(ProcessBuilder.Redirect.INHERIT).start();
            journals.add(process);
            out = process.inputReader(UTF_8);
            in = new PrintStream(process.getOutputStream(), true);
            assertEquals("ready", out.readLine());
        }

        String next() throws IOException {
            in.println();
            return new String(java.util.HexFormat.of().parseHex(out.readLine()), UTF_8);
        }
    }
}
