package io.balena.engine.runtime.log;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.runtime.Stdio;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalLogTest {
    @TempDir Path folder;
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    /// What dockerd 20.10.24 wrote for `echo hi`, but for the time.
    @Test
    void aLineIsWrittenAsDockerWritesIt() throws IOException {
        write(open(0, 1), "hi\n".getBytes(UTF_8), 64);
        byte[] file = Files.readAllBytes(file());
        assertEquals(30, file.length);
        assertEquals("00000016" + "0a067374646f7574" + "10", HexFormat.of().formatHex(file, 0, 13));
        assertEquals("1a026869" + "00000016", HexFormat.of().formatHex(file, 22, 30));
    }

    /// What it wrote of a line of 40,000 bytes: pieces with one id, numbered, the last marked.
    @Test
    void thePiecesOfALongLineAreMarkedAsDockerMarksThem() throws IOException {
        write(open(0, 1), ("a".repeat(40_000) + "\n").getBytes(UTF_8), 1000);
        List<byte[]> records = records(Files.readAllBytes(file()));
        assertEquals(List.of(16478, 16478, 7327), records.stream().map(r -> r.length).toList());
        String id = tail(records.get(0), 66).substring(0, 64);
        assertTrue(id.matches("[0-9a-f]{64}"), id);
        assertEquals(" \u0001*D\u0012@" + id + "\u0018\u0001", tail(records.get(0), 72));
        assertEquals(id + "\u0018\u0002", tail(records.get(1), 66));
        assertEquals(" \u0001*F\b\u0001\u0012@" + id + "\u0018\u0003", tail(records.get(2), 74));
    }

    @Test
    void anyBytesStayAsTheyAre() throws IOException {
        byte[] all = new byte[255];
        for (int i = 0, b = 0; b < 256; b++) if (b != '\n') all[i++] = (byte) b;
        byte[] line = Arrays.copyOf(all, 256);
        line[255] = '\n';
        write(open(0, 1), line, 100);
        byte[] record = records(Files.readAllBytes(file())).getFirst();
        assertArrayEquals(all, Arrays.copyOfRange(record, record.length - 255, record.length));
    }

    @Test
    void aHalfRecordOfADeadShimIsCutOff() throws IOException {
        write(open(0, 1), "one\ntwo\n".getBytes(UTF_8), 64);
        byte[] whole = Files.readAllBytes(file());
        for (int left = 1; left < whole.length; left++) {
            Files.write(file(), Arrays.copyOf(whole, left));
            write(open(0, 1), "three\n".getBytes(UTF_8), 64);
            List<byte[]> records = records(Files.readAllBytes(file()));
            assertEquals(left >= whole.length / 2 ? 2 : 1, records.size(), "after " + left + " bytes");
            assertEquals("three", tail(records.getLast(), 5));
        }
    }

    @Test
    void aBurstIsRotatedRecordByRecord() throws IOException {
        write(open(1000, 1000), "0123456789\n".repeat(3000).getBytes(UTF_8), 64 << 10);
        int records = 0;
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) {
                byte[] content = Files.readAllBytes(file);
                assertTrue(content.length < 1050, file + " has " + content.length);
                records += records(content).size();
            }
        }
        assertEquals(3000, records);
    }

    private static String tail(byte[] record, int length) {
        return new String(record, record.length - length, length, ISO_8859_1);
    }

    private Path file() {
        return folder.resolve("container.log");
    }

    private LogSink open(long maxBytes, int maxFiles) throws IOException {
        return LogFixture.open(new Stdio.Log(Stdio.Driver.LOCAL, file(), maxBytes, maxFiles, false, 0, Map.of()), said);
    }

    private static void write(LogSink log, byte[] output, int pieceBytes) {
        LogSink.Source stream = log.source("stdout");
        for (int at = 0; at < output.length; at += pieceBytes) {
            byte[] piece = Arrays.copyOfRange(output, at, Math.min(output.length, at + pieceBytes));
            log.write(stream, piece, piece.length);
        }
        log.end(stream);
        log.close(() -> {});
    }

    private static List<byte[]> records(byte[] file) {
        List<byte[]> records = new ArrayList<>();
        for (var rest = ByteBuffer.wrap(file); rest.hasRemaining(); ) {
            byte[] record = new byte[rest.getInt()];
            rest.get(record);
            assertEquals(record.length, rest.getInt());
            records.add(record);
        }
        return records;
    }
}
