package io.balena.engine.daemon.container.log;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LocalRecordsTest {
    @TempDir
    Path directory;

    private final FileChanges changes = new FileChanges();
    private Path file;

    @BeforeEach
    void name() {
        file = directory.resolve("container.log");
    }

    @AfterEach
    void close() throws Exception {
        changes.close();
    }

    /// What dockerd 20.10.24 wrote for `echo err >&2`.
    @Test
    void whatDockerWroteIsRead() throws Exception {
        Files.write(file, HexFormat.of().parseHex("00000017" + "0a06737464657272" + "108ef8e986c48c9df518" + "1a03657272" + "00000017"));
        log().read(LogQuery.everything(), CompletableFuture.completedFuture(0), () -> {}, entry -> {
            assertEquals(LogEntry.Stream.STDERR, entry.stream());
            assertEquals("err\n", new String(entry.text(), UTF_8));
            assertEquals(Instant.parse("2026-11-22T19:22:55.000000000Z").getEpochSecond(), entry.time().getEpochSecond());
        });
        assertEquals(List.of("err\n"), read(OptionalInt.empty()));
    }

    @Test
    void onlyTheLastPieceOfALongLineEndsIt() throws Exception {
        append(record("a", "\u0018\u0001"), record("b", "\u0018\u0002"), record("c", "\b\u0001\u0018\u0003"), record("d", null));
        assertEquals(List.of("a", "b", "c\n", "d\n"), read(OptionalInt.empty()));
    }

    @Test
    void theTailIsFoundFromTheEnd() throws Exception {
        for (int i = 0; i < 100; i++) append(record(Integer.toString(i), null));
        assertEquals(List.of(), read(OptionalInt.of(0)));
        assertEquals(List.of("98\n", "99\n"), read(OptionalInt.of(2)));
        assertEquals(100, read(OptionalInt.of(1000)).size());
    }

    @Test
    void whatAPowerCutToreHidesNothingAndIsNoTail() throws Exception {
        byte[] next = record("three", null);
        append(record("one", null), record("two", null), Arrays.copyOf(next, 9), new byte[500], next, Arrays.copyOf(next, 12));
        assertEquals(List.of("one\n", "two\n", "three\n"), read(OptionalInt.empty()));
        assertEquals(List.of("two\n", "three\n"), read(OptionalInt.of(2)));
    }

    @Test
    void aFollowerTakesARecordWhenItIsWhole() throws Exception {
        append(record("one", null));
        byte[] next = record("two", null);
        var ended = new CompletableFuture<Integer>();
        List<String> seen = new ArrayList<>();
        int[] written = {0};
        var query = new LogQuery(true, true, Optional.empty(), Optional.empty(), OptionalInt.empty(), true);
        CompletableFuture.runAsync(() -> {
            try {
                log().read(query, ended, () -> {
                    if (written[0] < next.length) append(Arrays.copyOfRange(next, written[0], ++written[0]));
                    else ended.complete(0);
                }, entry -> seen.add(new String(entry.text(), UTF_8)));
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }).get(30, TimeUnit.SECONDS);
        assertEquals(List.of("one\n", "two\n"), seen);
    }

    private ContainerLog log() {
        return new FileLog(file, 5, LogFormat.LOCAL, changes);
    }

    private List<String> read(OptionalInt tail) throws IOException {
        List<String> lines = new ArrayList<>();
        log().read(new LogQuery(true, true, Optional.empty(), Optional.empty(), tail, false), CompletableFuture.completedFuture(0), () -> {},
                entry -> lines.add(new String(entry.text(), UTF_8)));
        return lines;
    }

    private void append(byte[]... records) throws IOException {
        var all = new ByteArrayOutputStream();
        for (byte[] record : records) all.writeBytes(record);
        Files.write(file, all.toByteArray(), CREATE, APPEND);
    }

    /// @param piece its description as protobuf, or null for a whole line
    private static byte[] record(String line, String piece) {
        String entry = "\n\u0006stdout\u0010\u0001\u001a" + (char) line.length() + line + (piece == null ? "" : " \u0001*" + (char) piece.length() + piece);
        return ByteBuffer.allocate(entry.length() + 8).putInt(entry.length()).put(entry.getBytes(ISO_8859_1)).putInt(entry.length()).array();
    }
}
