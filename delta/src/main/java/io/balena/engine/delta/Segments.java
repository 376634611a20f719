package io.balena.engine.delta;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// Cuts a stream into segments that all cores work on, and hands them on in their order. Memory: a few segments.
final class Segments {
    static final int MOST_WORKERS = 4;

    interface Work {
        void on(Segment segment) throws IOException;
    }

    private final int workers = Math.min(MOST_WORKERS, Runtime.getRuntime().availableProcessors());
    private final Deque<Segment> free = new ArrayDeque<>();
    private final Deque<Future<Segment>> underWay = new ArrayDeque<>();
    private final Work work;
    private final Work inOrder;

    /// @param work done by several threads at once
    /// @param inOrder done by the calling thread afterwards, segment by segment
    Segments(Work work, Work inOrder) {
        this.work = work;
        this.inOrder = inOrder;
    }

    int workers() {
        return workers;
    }

    /// When it returns, however it does, no thread of it is running any more.
    void run(InputStream in) throws IOException {
        try (ExecutorService pool = Executors.newFixedThreadPool(workers, Thread.ofPlatform().daemon().name("delta-", 0).factory())) {
            try {
                runIn(pool, in);
            } catch (Throwable t) {
                pool.shutdownNow();
                throw t;
            }
        }
    }

    private void runIn(ExecutorService pool, InputStream in) throws IOException {
        long position = 0;
        while (true) {
            Segment segment = free.isEmpty() ? new Segment() : free.pop();
            if (!segment.fill(in, position)) break;
            position += segment.length;
            underWay.add(pool.submit(() -> {
                work.on(segment);
                return segment;
            }));
            if (underWay.size() > workers) finishFirst();
        }
        while (!underWay.isEmpty()) finishFirst();
    }

    private void finishFirst() throws IOException {
        try {
            Segment segment = underWay.remove().get();
            inOrder.on(segment);
            free.push(segment);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("making a delta was interrupted");
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException io -> throw io;
                case RuntimeException unchecked -> throw unchecked;
                case Error error -> throw error;
                default -> throw new IOException(e.getCause());
            }
        }
    }
}
