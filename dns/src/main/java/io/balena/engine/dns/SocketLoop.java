package io.balena.engine.dns;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayDeque;
import java.util.PriorityQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/// One thread that waits for sockets, moments and work from other threads.
final class SocketLoop implements Runnable, AutoCloseable {
    /// Called on the loop's thread when its socket is ready.
    interface Ready {
        void ready();
    }

    /// A moment that can be called off.
    static final class Moment implements Comparable<Moment> {
        private final long nanoTime;
        private Runnable task;

        private Moment(long nanoTime, Runnable task) {
            this.nanoTime = nanoTime;
            this.task = task;
        }

        void callOff() {
            task = null;
        }

        @Override
        public int compareTo(Moment other) {
            return Long.compare(nanoTime - other.nanoTime, 0);
        }
    }

    /// A whole datagram fits.
    private static final int BUFFER_BYTES = 1 << 16;

    private final Selector selector;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private final PriorityQueue<Moment> moments = new PriorityQueue<>();
    private final ArrayDeque<Runnable> fromOutside = new ArrayDeque<>();
    private final System.Logger.Level fault = System.Logger.Level.WARNING;
    private volatile boolean ended;

    SocketLoop() throws IOException {
        selector = Selector.open();
    }

    /// For the loop's thread, within one call of [Ready].
    ByteBuffer buffer() {
        return buffer.clear();
    }

    SelectionKey watch(SelectableChannel channel, int operations, Ready ready) throws ClosedChannelException {
        return channel.register(selector, operations, ready);
    }

    Moment after(long millis, Runnable task) {
        Moment moment = new Moment(System.nanoTime() + millis * 1_000_000, task);
        moments.add(moment);
        return moment;
    }

    /// Has `work` done by the loop's thread, and waits for it.
    <T> T call(Callable<T> work) throws IOException {
        FutureTask<T> task = new FutureTask<>(work);
        synchronized (fromOutside) {
            if (ended) throw new IOException("the resolver has ended");
            fromOutside.add(task);
        }
        selector.wakeup();
        try {
            return task.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for the resolver", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException io) throw io;
            throw new IOException(e.getCause());
        }
    }

    @Override
    public void run() {
        try {
            while (!ended) {
                selector.select(this::dispatch, untilNextMoment());
                runFromOutside();
                runMoments();
            }
        } catch (IOException e) {
            System.getLogger(SocketLoop.class.getName()).log(fault, "cannot wait for sockets", e);
        } finally {
            // Nobody waits for what is not going to be done.
            close();
            runFromOutside();
        }
    }

    private void dispatch(SelectionKey key) {
        if (key.isValid()) guarded(((Ready) key.attachment())::ready);
    }

    /// Whatever one socket brings, the others go on.
    private void guarded(Runnable task) {
        try {
            task.run();
        } catch (RuntimeException e) {
            System.getLogger(SocketLoop.class.getName()).log(fault, "a question was not answered", e);
        }
    }

    /// @return milliseconds, 0 for ever
    private long untilNextMoment() {
        while (!moments.isEmpty() && moments.peek().task == null) moments.poll();
        if (moments.isEmpty()) return 0;
        return Math.max(1, (moments.peek().nanoTime - System.nanoTime() + 999_999) / 1_000_000);
    }

    private void runMoments() {
        while (!moments.isEmpty() && moments.peek().nanoTime - System.nanoTime() <= 0) {
            Runnable task = moments.poll().task;
            if (task != null) guarded(task);
        }
    }

    private void runFromOutside() {
        while (true) {
            Runnable task;
            synchronized (fromOutside) {
                task = fromOutside.poll();
            }
            if (task == null) return;
            guarded(task);
        }
    }

    @Override
    public void close() {
        synchronized (fromOutside) {
            ended = true;
        }
        selector.wakeup();
    }
}
