package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class ReproducibleGzipTest {
    private static final int BLOCK = GzipBlock.SIZE;
    private static final List<Integer> SIZES =
            List.of(0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 7 * BLOCK, 7 * BLOCK + 1, 20 * BLOCK - 1);

    @Test
    void theBytesAreTheSameHoweverManyWork() throws IOException {
        for (int size : SIZES) {
            for (byte[] content : List.of(text(size), TestImage.noise(size, 3))) {
                byte[] packed = packed(1, content);
                assertArrayEquals(packed, packed(2, content));
                assertArrayEquals(packed, packed(8, content));
                assertArrayEquals(packed, packed(2, content), "and each time");
            }
        }
    }

    @Test
    void everyReaderFindsWhatWasPacked(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("packed.gz");
        for (int size : SIZES) {
            for (byte[] content : List.of(text(size), TestImage.noise(size, 4), new byte[size])) {
                byte[] packed = packed(2, content);
                assertArrayEquals(content, new GZIPInputStream(new ByteArrayInputStream(packed)).readAllBytes());
                assertArrayEquals(content, new GzipInputStream(new ByteArrayInputStream(packed)).readAllBytes());
                Files.write(file, packed);
                assertArrayEquals(content, output("zcat", file.toString()));
                assertArrayEquals(new byte[0], output("gzip", "-t", file.toString()));
            }
        }
    }

    @Test
    void itIsAsSmallAsInOnePiece() throws IOException {
        byte[] content = text(4 << 20);
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        try (var gzip = new java.util.zip.GZIPOutputStream(whole)) {
            gzip.write(content);
        }
        assertTrue(packed(2, content).length < 1.02 * whole.size());
    }

    @Test
    void aBlockFindsAgainWhatTheOneBeforeEndedWith() throws IOException {
        byte[] noise = TestImage.noise(BLOCK / 4, 5);
        InputStream repeated = new ByteArrayInputStream(noise);
        for (int i = 1; i < 40; i++) repeated = new SequenceInputStream(repeated, new ByteArrayInputStream(noise));
        assertTrue(packed(2, repeated.readAllBytes()).length < noise.length + BLOCK / 4);
    }

    @Test
    void whatCannotBeMadeSmallerHardlyGrows() throws IOException {
        assertTrue(packed(2, TestImage.noise(10 * BLOCK, 6)).length < 10 * BLOCK * 1.001);
    }

    @Test
    void thePackingTellsHowFarItIs() throws IOException {
        List<Long> passed = new ArrayList<>();
        new ReproducibleGzip(2).pack(new ByteArrayInputStream(text(2 * BLOCK + 1)), OutputStream.nullOutputStream(), passed::add);
        assertEquals(List.of((long) BLOCK, 2L * BLOCK, 2L * BLOCK + 1), passed);
    }

    @Test
    void aSlowLineHoldsUpTheReading() throws IOException {
        byte[] content = TestImage.noise(100 * BLOCK, 7);
        ByteArrayInputStream in = new ByteArrayInputStream(content);
        new ReproducibleGzip(3).pack(in, new OutputStream() {
            private long written;

            @Override
            public void write(int b) {
                throw new AssertionError("byte by byte");
            }

            @Override
            public void write(byte[] bytes, int offset, int length) {
                long read = content.length - in.available();
                assertTrue(read - written <= 5 * BLOCK, "a block for each worker and two");
                written += length;
            }
        }, _ -> {});
    }

    @Test
    void twoAtOnceShareTheWorkers() throws Exception {
        byte[] content = text(60 * BLOCK);
        ReproducibleGzip gzip = new ReproducibleGzip(2);
        byte[] alone = packed(gzip, content);
        List<FutureTask<byte[]>> together = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            FutureTask<byte[]> task = new FutureTask<>(() -> packed(gzip, content));
            together.add(task);
            Thread.ofPlatform().start(task);
        }
        while (together.stream().anyMatch(task -> !task.isDone())) {
            // Those of the one before may still be ending.
            assertTrue(workers().size() <= 4, "threads");
            LockSupport.parkNanos(1_000_000);
        }
        for (FutureTask<byte[]> task : together) assertArrayEquals(alone, task.get());
        assertWorkersEnd();
    }

    @Test
    void aLineThatBreaksEndsTheWork() throws Exception {
        ReproducibleGzip gzip = new ReproducibleGzip(2);
        byte[] content = text(50 * BLOCK);
        for (int i = 0; i < 20; i++) {
            int blocks = i;
            assertEquals("broken", assertThrows(IOException.class,
                    () -> gzip.pack(new ByteArrayInputStream(content), breakingAfter(blocks), _ -> {})).getMessage());
        }
        assertWorkersEnd();
        assertArrayEquals(packed(8, content), packed(gzip, content), "nothing of it is left in the buffers");
    }

    @Test
    void aDamagedLayerEndsTheWork() throws Exception {
        ReproducibleGzip gzip = new ReproducibleGzip(2);
        InputStream damaged = new SequenceInputStream(new ByteArrayInputStream(text(10 * BLOCK)), new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("damaged");
            }
        });
        assertEquals("damaged", assertThrows(IOException.class,
                () -> gzip.pack(damaged, OutputStream.nullOutputStream(), _ -> {})).getMessage());
        assertWorkersEnd();
    }

    private static OutputStream breakingAfter(int writes) {
        return new OutputStream() {
            private int left = writes;

            @Override
            public void write(int b) throws IOException {
                if (left-- == 0) throw new IOException("broken");
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                write(0);
            }
        };
    }

    private static void assertWorkersEnd() throws InterruptedException {
        for (Thread worker : workers()) worker.join(60_000);
        assertEquals(List.of(), workers());
    }

    private static List<Thread> workers() {
        return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().equals("deflating")).toList();
    }

    private static byte[] packed(int workers, byte[] content) throws IOException {
        return packed(new ReproducibleGzip(workers), content);
    }

    private static byte[] packed(ReproducibleGzip gzip, byte[] content) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        gzip.pack(new ByteArrayInputStream(content), out, _ -> {});
        return out.toByteArray();
    }

    /// As compressible as words are.
    private static byte[] text(int size) {
        RandomGenerator random = new java.util.Random(size);
        List<String> words = random.ints(500, 0, Integer.MAX_VALUE).mapToObj(i -> Integer.toString(i, 36)).toList();
        String text = random.ints(size / 4 + 1, 0, words.size()).mapToObj(words::get).collect(Collectors.joining(" "));
        return java.util.Arrays.copyOf(text.getBytes(), size);
    }

    private static byte[] output(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        byte[] output = process.getInputStream().readAllBytes();
        assertEquals(0, process.waitFor());
        return output;
    }
}
