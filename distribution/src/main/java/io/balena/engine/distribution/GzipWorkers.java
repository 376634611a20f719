package io.balena.engine.distribution;

import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.zip.Deflater;

/// The threads that deflate, however many layers are packed at a time, with what they need of memory. They are there while something is
/// packed, kept from layer to layer, and gone with the last one.
final class GzipWorkers {
    /// Within half a percent of what Docker sends, and two thirds of the time of zlib's own default (6); 4 would save a fifth of the time
    /// and cost another percent, which on thin lines is dearer.
    private static final int LEVEL = 5;

    private final int count;
    private final Deque<Deflater> deflaters = new ArrayDeque<>();
    private final Deque<GzipBlock> blocks = new ArrayDeque<>();
    private ExecutorService threads;
    private int users;

    /// @param count of threads
    GzipWorkers(int count) {
        this.count = count;
    }

    /// For one stream.
    synchronized Share join() {
        if (users++ == 0) {
            threads = new ThreadPoolExecutor(count, count, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
                    task -> Thread.ofPlatform().daemon().name("deflating").unstarted(task));
        }
        return new Share(threads);
    }

    private synchronized void leave(Collection<GzipBlock> used) {
        blocks.addAll(used);
        if (--users > 0) return;
        threads.shutdown();
        deflaters.forEach(Deflater::end);
        deflaters.clear();
        blocks.clear();
    }

    private synchronized GzipBlock block() {
        return blocks.isEmpty() ? new GzipBlock() : blocks.remove();
    }

    private synchronized Deflater deflater() {
        return deflaters.isEmpty() ? new Deflater(LEVEL, true) : deflaters.remove();
    }

    private synchronized void giveBack(Deflater deflater) {
        deflaters.add(deflater);
    }

    /// What one stream may use: a block for each worker, one that is being filled, and one that is being sent.
    final class Share implements AutoCloseable {
        private final ExecutorService threads;
        private final Deque<GzipBlock> taken = new ArrayDeque<>();

        private Share(ExecutorService threads) {
            this.threads = threads;
        }

        boolean hasAnother() {
            return taken.size() < count + 2;
        }

        GzipBlock another() {
            GzipBlock block = block();
            taken.add(block);
            return block;
        }

        CompletableFuture<GzipBlock> deflate(GzipBlock block) {
            return CompletableFuture.supplyAsync(() -> {
                Deflater deflater = deflater();
                try {
                    block.deflate(deflater);
                } finally {
                    giveBack(deflater);
                }
                return block;
            }, threads);
        }

        /// Gives everything back. Nothing of it may be under way any more.
        @Override
        public void close() {
            leave(taken);
        }
    }
}
