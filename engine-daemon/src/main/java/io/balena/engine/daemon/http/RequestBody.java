package io.balena.engine.daemon.http;

import io.netty.buffer.ByteBuf;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Objects;

/// Bytes on their way from the event loop to the thread that handles a request. When much is waiting, the connection is not read.
final class RequestBody extends InputStream {
    /// Bytes waiting at which the connection is no longer read; one more read of at most 64 KiB may still arrive.
    private static final int FULL = 64 * 1024;
    /// Bytes waiting at which reading goes on.
    private static final int HUNGRY = 16 * 1024;

    /// Starts and stops the reading of the connection; called on any thread.
    @FunctionalInterface
    interface Flow {
        void read(boolean wanted);
    }

    private final Flow flow;
    private final Runnable firstWanted;
    private final ArrayDeque<ByteBuf> waiting = new ArrayDeque<>();
    private int size;
    private boolean paused;
    private boolean touched;
    private boolean complete;
    private boolean discarding;
    private long discarded;
    private IOException failure;
    private long deadlineNanos = Long.MAX_VALUE;

    RequestBody(Flow flow) {
        this(flow, () -> {});
    }

    /// @param firstWanted called when somebody waits for the first byte: a client may wait to be asked (`100 Continue`)
    RequestBody(Flow flow, Runnable firstWanted) {
        this.flow = flow;
        this.firstWanted = firstWanted;
    }

    /// Takes ownership of `bytes`.
    synchronized void offer(ByteBuf bytes) {
        if (discarding || failure != null || !bytes.isReadable()) {
            discarded += bytes.readableBytes();
            bytes.release();
            return;
        }
        waiting.addLast(bytes);
        size += bytes.readableBytes();
        if (size >= FULL && !paused) {
            paused = true;
            flow.read(false);
        }
        notifyAll();
    }

    /// Nothing more will come.
    synchronized void end() {
        complete = true;
        notifyAll();
    }

    /// Nothing more will come, but it should have. What has arrived can still be read.
    synchronized void fail(IOException reason) {
        if (complete || failure != null) return;
        failure = reason;
        notifyAll();
    }

    /// From now on, whoever waits for bytes waits no longer than `time` in all.
    synchronized void within(Duration time) {
        deadlineNanos = System.nanoTime() + time.toNanos();
    }

    /// The rest of it cannot be found in what the client sends.
    synchronized boolean isBroken() {
        return failure != null;
    }

    synchronized boolean isComplete() {
        return complete;
    }

    synchronized boolean isTouched() {
        return touched;
    }

    /// Nobody will read any more. What still arrives is thrown away.
    synchronized void discard() {
        discarding = true;
        for (ByteBuf bytes; (bytes = waiting.pollFirst()) != null; ) {
            discarded += bytes.readableBytes();
            bytes.release();
        }
        size = 0;
        paused = false;
        notifyAll();
    }

    /// Bytes thrown away so far.
    synchronized long discarded() {
        return discarded;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public synchronized int read(byte[] target, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, target.length);
        if (length == 0) return 0;
        awaitBytes();
        ByteBuf first = waiting.peekFirst();
        if (first == null) return -1;
        int count = Math.min(length, first.readableBytes());
        first.readBytes(target, offset, count);
        if (!first.isReadable()) waiting.removeFirst().release();
        size -= count;
        if (paused && size <= HUNGRY) {
            paused = false;
            flow.read(true);
        }
        return count;
    }

    @Override
    public synchronized int available() {
        return size;
    }

    private void await() throws InterruptedException {
        if (deadlineNanos == Long.MAX_VALUE) {
            wait();
            return;
        }
        long left = deadlineNanos - System.nanoTime();
        if (left <= 0) failure = new IOException("i/o timeout");
        else wait(left / 1_000_000 + 1);
    }

    private void awaitBytes() throws IOException {
        if (!touched) {
            touched = true;
            if (!complete && waiting.isEmpty()) firstWanted.run();
        }
        try {
            while (waiting.isEmpty() && !complete && failure == null && !discarding) await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for the client");
        }
        if (!waiting.isEmpty() || complete) return;
        if (failure != null) throw failure;
        throw new EOFException("the request was answered already");
    }
}
