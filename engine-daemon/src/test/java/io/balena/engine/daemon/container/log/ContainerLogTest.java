package io.balena.engine.daemon.container.log;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class ContainerLogTest {
    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    @TempDir
    Path directory;

    private final FileChanges changes = new FileChanges();
    private Path file;
    private int seconds;

    @BeforeEach
    void name() {
        file = directory.resolve("x-json.log");
    }

    @AfterEach
    void close() throws Exception {
        changes.close();
    }

    @Test
    void rotatedFilesComeFirst() throws Exception {
        write(file.resolveSibling("x-json.log.2"), "a", "b");
        write(file.resolveSibling("x-json.log.1"), "c");
        write(file, "d");
        assertEquals(List.of("a", "b", "c", "d"), read(LogQuery.everything()));
    }

    @Test
    void compressedFilesAreReadToo() throws Exception {
        Path old = write(directory.resolve("old"), "a", "b");
        try (var zip = new GZIPOutputStream(Files.newOutputStream(file.resolveSibling("x-json.log.1.gz")))) {
            Files.copy(old, zip);
        }
        write(file, "c");
        assertEquals(List.of("a", "b", "c"), read(LogQuery.everything()));
        assertEquals(List.of("b", "c"), read(tail(2)));
    }

    @Test
    void theTailReachesIntoOlderFiles() throws Exception {
        write(file.resolveSibling("x-json.log.1"), "a", "b");
        write(file, "c", "d");
        assertEquals(List.of(), read(tail(0)));
        assertEquals(List.of("d"), read(tail(1)));
        assertEquals(List.of("c", "d"), read(tail(2)));
        assertEquals(List.of("b", "c", "d"), read(tail(3)));
        assertEquals(List.of("a", "b", "c", "d"), read(tail(100)));
    }

    @Test
    void theTailOfALongFileIsFoundFromItsEnd() throws Exception {
        String[] lines = new String[5000];
        for (int i = 0; i < lines.length; i++) lines[i] = "line " + i;
        write(file, lines);
        assertEquals(List.of("line 4997", "line 4998", "line 4999"), read(tail(3)));
        assertEquals(3000, read(tail(3000)).size());
    }

    @Test
    void aLineTornByAPowerCutHidesNoOther() throws Exception {
        write(file, "a");
        Files.write(file, "{\"log\":\"half".getBytes(UTF_8), APPEND);
        Files.write(file, new byte[100], APPEND);
        Files.write(file, "\n".getBytes(UTF_8), APPEND);
        write(file, "b");
        Files.write(file, "{\"log\":\"unfinished".getBytes(UTF_8), APPEND);
        assertEquals(List.of("a", "b"), read(LogQuery.everything()));
    }

    @Test
    void aSpanOfTimeIsSelected() throws Exception {
        write(file, "0", "1", "2", "3");
        var query = new LogQuery(true, true, Optional.of(START.plusSeconds(1)), Optional.of(START.plusSeconds(2)), OptionalInt.empty(), false);
        assertEquals(List.of("1", "2"), read(query));
    }

    @Test
    void aMissingLogIsAnEmptyOne() throws Exception {
        assertEquals(List.of(), read(LogQuery.everything()));
        assertEquals(List.of(), read(tail(5)));
    }

    @Test
    void aFollowerSeesAllThroughRotations() throws Exception {
        write(file, "0");
        var ended = new CompletableFuture<Integer>();
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        var caughtUp = new CountDownLatch(1);
        var finished = CompletableFuture.runAsync(() -> {
            try {
                var query = new LogQuery(true, true, Optional.empty(), Optional.empty(), OptionalInt.empty(), true);
                log().read(query, ended, caughtUp::countDown, entry -> seen.add(text(entry)));
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
        caughtUp.await();
        List<String> expected = new ArrayList<>(List.of("0"));
        for (int i = 1; i <= 50; i++) {
            write(file, Integer.toString(i));
            expected.add(Integer.toString(i));
            if (i % 10 == 0) rotate(100);
        }
        ended.complete(0);
        finished.get(10, TimeUnit.SECONDS);
        assertEquals(expected, seen);
    }

    @Test
    void aFollowerEndsWithItsContainerAfterTheLastWord() throws Exception {
        write(file, "a");
        var query = new LogQuery(true, true, Optional.empty(), Optional.empty(), OptionalInt.of(0), true);
        var ended = new CompletableFuture<Integer>();
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        log().read(query, ended, () -> {
            if (ended.isDone()) return;
            write(file, "last");
            ended.complete(0);
        }, entry -> seen.add(text(entry)));
        assertEquals(List.of("last"), seen);
    }

    private void rotate(int keep) throws Exception {
        for (int i = keep; i > 0; i--) {
            Path older = i == 1 ? file : file.resolveSibling("x-json.log." + (i - 1));
            if (Files.exists(older)) Files.move(older, file.resolveSibling("x-json.log." + i));
        }
        Files.createFile(file);
    }

    private ContainerLog log() {
        return new FileLog(file, 200, LogFormat.JSON_FILE, changes);
    }

    private List<String> read(LogQuery query) throws Exception {
        List<String> lines = new ArrayList<>();
        log().read(query, CompletableFuture.completedFuture(0), () -> {}, entry -> lines.add(text(entry)));
        return lines;
    }

    private static String text(LogEntry entry) {
        return new String(entry.text(), UTF_8).strip();
    }

    private static LogQuery tail(int lines) {
        return new LogQuery(true, true, Optional.empty(), Optional.empty(), OptionalInt.of(lines), false);
    }

    private Path write(Path to, String... lines) throws IOException {
        var text = new StringBuilder();
        for (String line : lines) {
            text.append("{\"log\":\"").append(line).append("\\n\",\"stream\":\"stdout\",\"time\":\"").append(START.plusSeconds(seconds++)).append("\"}\n");
        }
        return Files.writeString(to, text, CREATE, APPEND);
    }
}
