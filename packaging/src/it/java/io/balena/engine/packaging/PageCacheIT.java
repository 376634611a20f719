package io.balena.engine.packaging;

import org.junit.jupiter.api.Test;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;

import static org.junit.jupiter.api.Assertions.assertTrue;

/// What an application reads again and again stays in memory, however much passes through the engine beside it.
class PageCacheIT {
    private static final int HOT_MEGABYTES = 40;
    private static final int DEVICE_MEGABYTES = 160;
    private static final int LAYER_MEGABYTES = 400;

    @Test void anApplicationsFileStaysInMemoryWhileABigLayerIsExtracted() throws IOException {
        try (var engine = Engine.start("--bridge", "none"); var device = MemoryGroup.of(DEVICE_MEGABYTES)) {
            var layer = bigLayer(engine.scratch());
            device.take(engine.daemon());
            try (var application = new Application(engine.scratch(), device)) {
                engine.docker().run("import", layer.toString(), "it/big:1").succeeded();
                application.assertItsFileStayed();
            }
            engine.stopDaemon();
        }
    }

    @Test void anApplicationsFileStaysInMemoryDuringAPull() {
        Registry.assumeDebianImages();
        try (var engine = Engine.start("--bridge", "none"); var device = MemoryGroup.of(DEVICE_MEGABYTES);
                var registry = Registry.start(engine)) {
            device.take(engine.daemon());
            try (var application = new Application(engine.scratch(), device)) {
                engine.docker().run("pull", Registry.HOST + "/it/debian:gzip").succeeded();
                application.assertItsFileStayed();
            }
            engine.stopDaemon();
        }
    }

    /// A tar with one file, much larger than the device's memory.
    private static Path bigLayer(Path folder) throws IOException {
        var content = Files.createDirectory(folder.resolve("content"));
        var random = new Random(1);
        var megabyte = new byte[1 << 20];
        try (var out = new BufferedOutputStream(Files.newOutputStream(content.resolve("model")))) {
            for (int i = 0; i < LAYER_MEGABYTES; i++) {
                random.nextBytes(megabyte);
                out.write(megabyte);
            }
        }
        var tar = folder.resolve("layer.tar");
        Command.of("tar", "-C", content.toString(), "-cf", tar.toString(), ".").run().succeeded();
        Files.delete(content.resolve("model"));
        Command.of("sync", "-f", tar.toString()).run().succeeded();
        return tar;
    }

    /// Reads its file over and over, and watches how much of it is in memory.
    private static final class Application implements AutoCloseable {
        private final Path file;
        private final Process process;
        private final Thread watch;
        private volatile boolean ended;
        private volatile long least = Long.MAX_VALUE;

        Application(Path folder, MemoryGroup group) {
            file = folder.resolve("hot");
            Command.of("dd", "if=/dev/urandom", "of=" + file, "bs=1M", "count=" + HOT_MEGABYTES, "conv=fsync").run().succeeded();
            // Out of the page cache, so that it is counted where it is read.
            Command.of("dd", "of=" + file, "oflag=nocache", "conv=notrunc", "count=0").run().succeeded();
            process = Command.of("sh", "-c", "read go; while cat " + file + " >/dev/null; do sleep 0.2; done").start();
            group.take(process.toHandle());
            try {
                process.getOutputStream().write('\n');
                process.getOutputStream().flush();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            assertTrue(Engine.become(Duration.ofSeconds(60), () -> resident() == (long) HOT_MEGABYTES << 20), "the file was never read");
            watch = Thread.ofVirtual().start(() -> {
                while (!ended) least = Math.min(least, resident());
            });
        }

        private long resident() {
            return Long.parseLong(Command.of("fincore", "--bytes", "--noheadings", "--output", "RES", file.toString()).run().succeeded().strip());
        }

        /// Nearly all of it: the kernel may take some pages that were not read again yet.
        void assertItsFileStayed() {
            long megabytes = Math.min(least, resident()) >> 20;
            assertTrue(megabytes >= HOT_MEGABYTES * 3 / 4, "of " + HOT_MEGABYTES + " MB only " + megabytes + " stayed in memory");
        }

        @Override public void close() {
            ended = true;
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            try {
                watch.join();
                process.waitFor();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
