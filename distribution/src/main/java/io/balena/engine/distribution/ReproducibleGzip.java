package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.LongConsumer;
import java.util.zip.CRC32;

/// Packs a layer the same way each time, so that whoever pushes it twice sends the registry the same blob: no time, no name, one level,
/// and cut into blocks of one size, whatever the number of processors that work on them.
///
/// Only the JDK's zlib makes them: a faster library that is there on one machine and not on another would make other blobs.
///
/// @see <a href="https://www.rfc-editor.org/rfc/rfc1952">RFC 1952</a>
final class ReproducibleGzip {
    private static final byte[] HEADER = {0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, (byte) 0xff};
    /// Each takes memory, and a line that can take what more of them make is rare.
    private static final int MOST_WORKERS = 8;

    private final GzipWorkers workers;

    ReproducibleGzip() {
        this(Math.min(Runtime.getRuntime().availableProcessors(), MOST_WORKERS));
    }

    ReproducibleGzip(int workers) {
        this.workers = new GzipWorkers(workers);
    }

    /// Packs `in` to its end. The caller's thread reads and writes.
    ///
    /// @param passed told from time to time how many bytes of `in` have been packed
    void pack(InputStream in, OutputStream out, LongConsumer passed) throws IOException {
        Deque<CompletableFuture<GzipBlock>> underWay = new ArrayDeque<>();
        try (GzipWorkers.Share share = workers.join()) {
            try {
                pack(share, underWay, in, out, passed);
            } finally {
                // After a failure: the blocks belong to the workers until they have done them.
                CompletableFuture.allOf(underWay.toArray(CompletableFuture[]::new)).exceptionally(_ -> null).join();
            }
        }
    }

    private static void pack(
            GzipWorkers.Share share, Deque<CompletableFuture<GzipBlock>> underWay, InputStream in, OutputStream out, LongConsumer passed)
            throws IOException {
        out.write(HEADER);
        CRC32 checksum = new CRC32();
        long size = 0;
        for (GzipBlock before = null; before == null || !before.isLast(); ) {
            GzipBlock block = share.hasAnother() ? share.another() : write(underWay.remove(), out);
            block.fill(before, in);
            block.check(checksum);
            underWay.add(share.deflate(block));
            size += block.size();
            passed.accept(size);
            before = block;
        }
        while (!underWay.isEmpty()) write(underWay.remove(), out);
        out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putInt((int) checksum.getValue()).putInt((int) size).array());
    }

    private static GzipBlock write(CompletableFuture<GzipBlock> deflated, OutputStream out) throws IOException {
        try {
            GzipBlock block = deflated.join();
            block.writeTo(out);
            return block;
        } catch (CompletionException e) {
            throw new IOException("could not pack a layer", e.getCause());
        }
    }
}
