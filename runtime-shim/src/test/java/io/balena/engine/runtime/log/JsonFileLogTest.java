package io.balena.engine.runtime.log;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.Stdio;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonFileLogTest {
    @TempDir Path folder;
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    /// What dockerd 20.10.24 wrote to its json-file log for these bytes, up to the time.
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            706c61696e0a                                       | {"log":"plain\\n","stream":"stdout"
            7461620971756f7465226261636b5c                     | {"log":"tab\\u0009quote\\"back\\\\","stream":"stdout"
            6c743c2067743e20616d70260d                         | {"log":"lt\\u003c gt\\u003e amp\\u0026\\r","stream":"stdout"
            62656c6c07206573631b206e756c0078                   | {"log":"bell\\u0007 esc\\u001b nul\\u0000x","stream":"stdout"
            64656c7f20                                         | {"log":"del\u007f ","stream":"stdout"
            75746638c3a420e282ac20f09f9880                     | {"log":"utf8ä € 😀","stream":"stdout"
            6c73e280a82070 73e280a9                            | {"log":"ls\\u2028 ps\\u2029","stream":"stdout"
            62616420ff20c320eda08020c0af20f490808020e2820a     | {"log":"bad \\ufffd \\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\\n","stream":"stdout"
            66666664efbfbd20626f6defbbbf                       | {"log":"fffd\ufffd bom\ufeff","stream":"stdout"
            0a                                                 | {"log":"\\n","stream":"stdout"
            """)
    void aLineIsWrittenAsDockerWritesIt(String hex, String expected) throws IOException {
        LogSink log = open(0, 1, Map.of());
        write(log, log.source("stdout"), HexFormat.of().parseHex(hex.replace(" ", "").strip()), 64 << 10);
        assertEquals(expected.strip(), lines().getFirst().replaceFirst(",\"time\":\"[0-9T:.-]+Z\"}$", ""));
        assertEquals(1, lines().size());
    }

    @Test
    void attributesAreWrittenAsDockerWritesThem() throws IOException {
        LogSink log = open(0, 1, Map.of("l", "a<b>\"&\tx", "b", "1"));
        write(log, log.source("stderr"), "err\n".getBytes(UTF_8), 64 << 10);
        assertTrue(
                lines().getFirst().startsWith(
                        "{\"log\":\"err\\n\",\"stream\":\"stderr\",\"attrs\":{\"b\":\"1\",\"l\":\"a\\u003cb\\u003e\\\"\\u0026\\tx\"},\"time\":\"20"),
                lines().getFirst());
    }

    /// Lengths of the `log` texts dockerd 20.10.24 wrote for lines of 16384, 16383, 40000, 1 and 16385 bytes, however they arrive.
    @ParameterizedTest
    @CsvSource({"65536", "4096", "1000", "1", "16384", "16385"})
    void longLinesAreCutAt16KiBAndTheirPiecesBearOneTime(int pieceBytes) throws IOException {
        LogSink log = open(0, 1, Map.of());
        var stream = log.source("stdout");
        String output = "a".repeat(16384) + "\n" + "b".repeat(16383) + "\n" + "c".repeat(40000) + "\nx\n" + "d".repeat(16385);
        write(log, stream, output.getBytes(UTF_8), pieceBytes);
        List<String> texts = new ArrayList<>();
        List<String> times = new ArrayList<>();
        for (String line : lines()) {
            JsonNode json = new ObjectMapper().readTree(line);
            String text = json.get("log").asText();
            texts.add(text.charAt(0) + " " + text.length());
            times.add(json.get("time").asText());
        }
        assertEquals(
                List.of("a 16384", "\n 1", "b 16384", "c 16384", "c 16384", "c 7233", "x 2", "d 16384", "d 1"), texts);
        assertEquals(times.get(0), times.get(1));
        assertEquals(times.get(3), times.get(5));
        assertEquals(times.get(7), times.get(8));
    }

    @Test
    void linesOfBothStreamsStayWholeWhenTheirPiecesInterleave() throws IOException {
        LogSink log = open(0, 1, Map.of());
        var out = log.source("stdout");
        var err = log.source("stderr");
        log.write(out, "one ".getBytes(UTF_8), 4);
        log.write(err, "two ".getBytes(UTF_8), 4);
        log.write(out, "more\n".getBytes(UTF_8), 5);
        log.write(err, "less\n".getBytes(UTF_8), 5);
        assertTrue(lines().get(0).startsWith("{\"log\":\"one more\\n\",\"stream\":\"stdout\""));
        assertTrue(lines().get(1).startsWith("{\"log\":\"two less\\n\",\"stream\":\"stderr\""));
    }

    @Test
    void anyBytesBecomeValidJson() throws IOException {
        LogSink log = open(0, 1, Map.of());
        byte[] all = new byte[256 * 256 * 2];
        for (int i = 0; i < 256 * 256; i++) {
            all[2 * i] = (byte) (i >> 8);
            all[2 * i + 1] = (byte) i;
        }
        write(log, log.source("stdout"), all, 5000);
        for (String line : lines()) new ObjectMapper().readTree(line);
    }

    @Test
    void manyShortLinesOutgrowNoBuffer() throws IOException {
        LogSink log = open(0, 1, Map.of("label", "x".repeat(100)));
        write(log, log.source("stdout"), "\n".repeat(64 << 10).getBytes(UTF_8), 64 << 10);
        assertEquals(64 << 10, lines().size());
    }

    @Test
    void aFileThatReachedItsSizeIsRotatedBeforeTheNextLine() throws IOException {
        LogSink log = open(1000, 3, Map.of());
        var stream = log.source("stdout");
        for (int i = 1; i <= 50; i++) {
            byte[] line = ("line " + i + "\n").getBytes(UTF_8);
            log.write(stream, line, line.length);
        }
        assertFalse(Files.exists(Path.of(file() + ".3")));
        long previous = 0;
        int count = 0;
        for (String name : new String[] {file() + ".2", file() + ".1", file().toString()}) {
            long size = Files.size(Path.of(name));
            if (!name.equals(file().toString())) assertTrue(size >= 1000 && size < 1100, name + " has " + size);
            for (String line : Files.readAllLines(Path.of(name))) {
                long number = Long.parseLong(new ObjectMapper().readTree(line).get("log").asText().strip().substring(5));
                assertTrue(count++ == 0 || number == previous + 1, "after " + previous + " comes " + number);
                previous = number;
            }
        }
        assertEquals(50, previous);
    }

    @Test
    void aBurstIsRotatedLineByLineToo() throws IOException {
        LogSink log = open(10_000, 100, Map.of());
        byte[] burst = "0123456789\n".repeat(5000).getBytes(UTF_8);
        log.write(log.source("stdout"), burst, burst.length);
        int lines = 0;
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) {
                assertTrue(Files.size(file) < 10_100, file + " has " + Files.size(file));
                lines += Files.readAllLines(file).size();
            }
        }
        assertEquals(5000, lines);
    }

    @Test
    void withOneFileItStartsAnew() throws IOException {
        LogSink log = open(1000, 1, Map.of());
        var stream = log.source("stdout");
        for (int i = 0; i < 100; i++) write(log, stream, "some line\n".getBytes(UTF_8), 100);
        assertTrue(Files.size(file()) < 1100);
        try (var files = Files.list(folder)) {
            assertEquals(1, files.count());
        }
    }

    @Test
    void aLineHalfWrittenByADeadShimDoesNotSpoilTheNext() throws IOException {
        Files.writeString(file(), "{\"log\":\"whole\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}\n{\"log\":\"ha");
        LogSink log = open(0, 1, Map.of());
        write(log, log.source("stdout"), "next\n".getBytes(UTF_8), 100);
        assertEquals(3, lines().size());
        assertTrue(lines().get(2).startsWith("{\"log\":\"next\\n\""));
    }

    @Test
    void onlyRootsGroupMayRead() throws IOException {
        open(0, 1, Map.of());
        assertEquals("rw-r-----", PosixFilePermissions.toString(Files.getPosixFilePermissions(file())));
    }

    @Test
    void rotatedFilesAreCompressedAndNothingIsLost() throws Exception {
        try (var logs = new LogFixture(said)) {
            LogSink log = logs.open(new Stdio.Log(Stdio.Driver.JSON_FILE, file(), 1000, 50, true, 0, Map.of()));
            logs.run(IntStream.range(0, 10).<Runnable>mapToObj(step -> () -> {
                for (int i = 20 * step; i < 20 * step + 20; i++) {
                    byte[] line = ("line " + i + "\n").getBytes(UTF_8);
                    log.write(log.source("stdout"), line, line.length);
                }
            }).iterator());
        }
        List<String> names;
        try (var files = Files.list(folder)) {
            names = files.map(file -> file.getFileName().toString()).sorted().toList();
        }
        assertTrue(names.size() > 10 && names.stream().allMatch(name -> name.equals("c-json.log") || name.endsWith(".gz")), names::toString);
        int next = 0;
        for (int age = names.size() - 1; age >= 0; age--) {
            Path file = age == 0 ? file() : Path.of(file() + "." + age + ".gz");
            try (var in = age == 0 ? Files.newInputStream(file) : new GZIPInputStream(Files.newInputStream(file))) {
                for (String line : new String(in.readAllBytes(), UTF_8).lines().toList()) {
                    assertEquals("line " + next++, new ObjectMapper().readTree(line).get("log").asText().strip());
                }
            }
        }
        assertEquals(200, next);
    }

    @Test
    void aLogThatSomebodyRemovedIsMadeAnew() throws Exception {
        LogSink log = open(0, 1, Map.of());
        Files.delete(file());
        long end = System.nanoTime() + 20_000_000_000L;
        while (!Files.exists(file()) && System.nanoTime() < end) log.write(log.source("stdout"), "x\n".getBytes(UTF_8), 2);
        assertFalse(lines().isEmpty());
    }

    @Test
    void aFileThatCannotBeRotatedGoesOn() throws Exception {
        Files.createDirectory(Path.of(file() + ".new")); // in the way of the new one
        LogSink log = open(1000, 3, Map.of());
        for (int i = 0; i < 100; i++) log.write(log.source("stdout"), "some line\n".getBytes(UTF_8), 10);
        assertEquals(100, lines().size());
        assertTrue(said.toString(ISO_8859_1).contains("cannot rotate"), said.toString(ISO_8859_1));
    }

    private Path file() {
        return folder.resolve("c-json.log");
    }

    private List<String> lines() throws IOException {
        return Files.readString(file(), UTF_8).lines().toList();
    }

    private LogSink open(long maxBytes, int maxFiles, Map<String, String> attributes) throws IOException {
        return LogFixture.open(new Stdio.Log(Stdio.Driver.JSON_FILE, file(), maxBytes, maxFiles, false, 0, attributes), said);
    }

    private static void write(LogSink log, LogSink.Source stream, byte[] output, int pieceBytes) {
        for (int at = 0; at < output.length; at += pieceBytes) {
            byte[] piece = Arrays.copyOfRange(output, at, Math.min(output.length, at + pieceBytes));
            log.write(stream, piece, piece.length);
        }
        log.end(stream);
    }
}
