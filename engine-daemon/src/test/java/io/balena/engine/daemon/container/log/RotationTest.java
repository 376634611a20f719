package io.balena.engine.daemon.container.log;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A log is read while it is rotated without a pause, in the order in which the shim does it. The writer only sees to it that nothing is
/// rotated away that a follower has not seen.
@Timeout(120)
class RotationTest {
    private static final int LINES = 3000;
    private static final int LINES_PER_FILE = 5;
    private static final int FILES = 6;
    /// With fewer lines than this between writer and follower, the file the follower is in is still there.
    private static final int LEAD = LINES_PER_FILE * (FILES - 2);

    @TempDir
    Path directory;

    private final FileChanges changes = new FileChanges();

    @AfterEach
    void close() throws Exception {
        changes.close();
    }

    @Test
    void aFollowerSeesEachLineOnce() throws Exception {
        follow(false);
    }

    @Test
    void aFollowerSeesEachLineOnceWhileFilesAreCompressed() throws Exception {
        follow(true);
    }

    @Test
    void whatIsReadAtOnceHasNoHole() throws Exception {
        Path file = directory.resolve("x.log");
        var written = new AtomicInteger(-1);
        var end = new AtomicBoolean();
        var writer = CompletableFuture.runAsync(() -> unchecked(() -> {
            for (int i = 0; !end.get(); i++) {
                write(file, i);
                written.set(i);
                if (i % LINES_PER_FILE == LINES_PER_FILE - 1) rotate(file, i % 2 == 0);
            }
        }));
        try {
            for (int look = 0; look < 300; look++) {
                int least = written.get();
                List<Integer> seen = new ArrayList<>();
                log(file).read(LogQuery.everything(), CompletableFuture.completedFuture(0), () -> {}, entry -> seen.add(number(entry)));
                for (int i = 1; i < seen.size(); i++) assertEquals(seen.getFirst() + i, seen.get(i), seen.toString());
                assertTrue(least < 0 || seen.getLast() >= least, least + " was written before " + seen + " was read");
            }
        } finally {
            end.set(true);
            writer.get(30, TimeUnit.SECONDS);
        }
    }

    private void follow(boolean compress) throws Exception {
        Path file = directory.resolve("x.log");
        Files.createFile(file);
        var ended = new CompletableFuture<Integer>();
        List<Integer> seen = new ArrayList<>();
        var last = new AtomicInteger(-1);
        var caughtUp = new CountDownLatch(1);
        var follower = CompletableFuture.runAsync(() -> unchecked(() -> {
            var query = new LogQuery(true, true, Optional.empty(), Optional.empty(), OptionalInt.empty(), true);
            log(file).read(query, ended, caughtUp::countDown, entry -> {
                seen.add(number(entry));
                last.set(number(entry));
            });
        }));
        caughtUp.await();
        for (int i = 0; i < LINES && !follower.isDone(); i++) {
            while (i - last.get() > LEAD && !follower.isDone()) Thread.onSpinWait();
            write(file, i);
            if (i % LINES_PER_FILE == LINES_PER_FILE - 1) rotate(file, compress);
        }
        ended.complete(0);
        follower.get(30, TimeUnit.SECONDS);
        List<Integer> all = new ArrayList<>();
        for (int i = 0; i < LINES; i++) all.add(i);
        assertEquals(all, seen);
    }

    private ContainerLog log(Path file) {
        return new FileLog(file, FILES, LogFormat.JSON_FILE, changes);
    }

    private static int number(LogEntry entry) {
        return Integer.parseInt(new String(entry.text(), UTF_8).strip());
    }

    private static void write(Path file, int number) throws IOException {
        Files.writeString(file, "{\"log\":\"" + number + "\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}\n", CREATE, APPEND);
    }

    private static void rotate(Path file, boolean compress) throws IOException {
        for (String suffix : List.of(".gz", "")) Files.deleteIfExists(Path.of(file + "." + (FILES - 1) + suffix));
        for (int i = FILES - 1; i > 1; i--) {
            for (String suffix : List.of(".gz", "")) {
                Path newer = Path.of(file + "." + (i - 1) + suffix);
                if (Files.exists(newer)) Files.move(newer, Path.of(file + "." + i + suffix));
            }
        }
        Path first = Path.of(file + ".1");
        Files.move(file, first, StandardCopyOption.ATOMIC_MOVE);
        Files.createFile(file);
        if (!compress) return;
        Path unfinished = Path.of(file + ".gz.new");
        Files.write(unfinished, compressed(first));
        Files.move(unfinished, Path.of(first + ".gz"), StandardCopyOption.ATOMIC_MOVE);
        Files.delete(first);
    }

    /// As the shim does it, with a note of which file it was.
    private static byte[] compressed(Path file) throws IOException {
        var attributes = Files.readAttributes(file, "unix:ino,lastModifiedTime");
        long modified = ((java.nio.file.attribute.FileTime) attributes.get("lastModifiedTime")).to(TimeUnit.NANOSECONDS);
        byte[] note = ("{\"lastTime\":\"2026-01-01T00:00:00Z\",\"inode\":" + attributes.get("ino") + ",\"modified\":" + modified + "}").getBytes(UTF_8);
        byte[] content = Files.readAllBytes(file);
        var out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {0x1f, (byte) 0x8b, 8, 4, 0, 0, 0, 0, 0, (byte) 255, (byte) note.length, (byte) (note.length >> 8)});
        out.writeBytes(note);
        var zip = new DeflaterOutputStream(out, new Deflater(6, true));
        zip.write(content);
        zip.finish();
        var sum = new CRC32();
        sum.update(content);
        for (int i = 0; i < 4; i++) out.write((int) (sum.getValue() >> 8 * i));
        for (int i = 0; i < 4; i++) out.write(content.length >> 8 * i);
        return out.toByteArray();
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void unchecked(Work work) {
        try {
            work.run();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
