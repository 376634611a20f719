package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.http.HttpRequest.BodyPublisher;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow.Subscriber;
import java.util.concurrent.Flow.Subscription;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/// The body of a request, made by a thread of its own as fast as the network takes it, and hashed on the way. Its length is not known
/// before, so it is sent in chunks.
///
/// Unlike the JDK's own, it keeps the threads that serve all connections free of the work of making it.
final class RequestBody implements BodyPublisher, AutoCloseable {
    /// What is sent. Written out anew, and the same again, each time it is asked for.
    interface Content {
        void writeTo(OutputStream out) throws IOException;
    }

    /// Each is handed from thread to thread, which takes its time on a busy machine.
    private static final int CHUNK = 64 * 1024;
    /// Chunks made ahead of the network.
    private static final int WINDOW = 4;

    private final Content content;
    private final long skipped;
    private final String name;
    private volatile Run run;
    private volatile long lastSignNanos = System.nanoTime();

    /// @param skipped bytes at the start that are hashed but not sent
    /// @param name of its thread
    RequestBody(Content content, long skipped, String name) {
        this.content = content;
        this.skipped = skipped;
        this.name = name;
    }

    /// All of the content, including what was skipped.
    record Sent(Digest digest, long size) {}

    /// @throws IOException when it was answered before it had been sent to its end
    Sent sent() throws IOException {
        if (run == null || run.sent == null) throw new IOException("the registry answered before it had everything");
        return run.sent;
    }

    /// What went wrong with the content itself; `null` when nothing did.
    IOException contentFailure() {
        return run == null ? null : run.failure;
    }

    /// When the network last took something, or was last waiting for us.
    long lastSignNanos() {
        Run current = run;
        return current != null && current.isMaking() ? System.nanoTime() : lastSignNanos;
    }

    @Override
    public long contentLength() {
        return -1;
    }

    @Override
    public void subscribe(Subscriber<? super ByteBuffer> subscriber) {
        close();
        Run next = new Run(subscriber);
        run = next;
        try {
            subscriber.onSubscribe(next);
            Thread.ofPlatform().name(name).daemon().start(next::make);
        } catch (Throwable e) {
            next.ended.countDown();
            throw e;
        }
    }

    /// Stops making it. Nothing of it is open any more when this returns.
    @Override
    public void close() {
        if (run != null) run.stop();
    }

    /// One time that it is sent. Made by one thread, handed on by whichever finds that both a chunk and demand for it are there.
    private final class Run extends OutputStream implements Subscription {
        private final Subscriber<? super ByteBuffer> subscriber;
        private final Queue<ByteBuffer> chunks = new ConcurrentLinkedQueue<>();
        private final Semaphore room = new Semaphore(WINDOW);
        private final AtomicLong demand = new AtomicLong();
        /// Calls of [#handOn()] that somebody has still to answer.
        private final AtomicInteger calls = new AtomicInteger();
        private final CountDownLatch ended = new CountDownLatch(1);
        private final MessageDigest running = Digest.sha256();
        private byte[] chunk = new byte[CHUNK];
        private int filled;
        private long size;
        private boolean over;
        private volatile boolean stopped;
        private volatile boolean made;
        private volatile IOException failure;
        private volatile Sent sent;

        Run(Subscriber<? super ByteBuffer> subscriber) {
            this.subscriber = subscriber;
        }

        void make() {
            try {
                content.writeTo(this);
                publish();
                sent = new Sent(Digest.of(running), size);
            } catch (Throwable e) {
                if (!stopped) failure = e instanceof IOException io ? io : new IOException(e);
            } finally {
                made = true;
                lastSignNanos = System.nanoTime();
                ended.countDown();
                handOn();
            }
        }

        /// The network has asked for more than there is.
        boolean isMaking() {
            return ended.getCount() > 0 && demand.get() > 0 && chunks.isEmpty();
        }

        void stop() {
            cancel();
            boolean interrupted = false;
            while (true) {
                try {
                    ended.await();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) Thread.currentThread().interrupt();
        }

        @Override
        public void request(long count) {
            lastSignNanos = System.nanoTime();
            demand.accumulateAndGet(count, (left, more) -> more > Long.MAX_VALUE - left ? Long.MAX_VALUE : left + more);
            handOn();
        }

        @Override
        public void cancel() {
            stopped = true;
            room.release();
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (stopped) throw new InterruptedIOException("nobody takes it any more");
            running.update(bytes, offset, length);
            int sendFrom = (int) Math.clamp(skipped - size, 0, length);
            size += length;
            for (int at = sendFrom; at < length; ) {
                int count = Math.min(length - at, chunk.length - filled);
                System.arraycopy(bytes, offset + at, chunk, filled, count);
                filled += count;
                at += count;
                if (filled == chunk.length) publish();
            }
        }

        private void publish() throws IOException {
            if (filled == 0) return;
            room.acquireUninterruptibly();
            if (stopped) throw new InterruptedIOException("nobody takes it any more");
            chunks.add(ByteBuffer.wrap(chunk, 0, filled));
            // Whoever sends it may hold on to it for as long as it wants.
            chunk = new byte[CHUNK];
            filled = 0;
            handOn();
        }

        /// The subscriber hears one thing at a time: who comes while somebody speaks to it leaves the word to them.
        private void handOn() {
            if (calls.getAndIncrement() > 0) return;
            int answered = 1;
            do {
                ByteBuffer next;
                while (demand.get() > 0 && (next = chunks.poll()) != null) {
                    demand.decrementAndGet();
                    room.release();
                    subscriber.onNext(next);
                }
                if (made && !over && (sent == null || chunks.isEmpty())) {
                    over = true;
                    if (sent != null) subscriber.onComplete();
                    else subscriber.onError(new IOException("the body could not be made", failure));
                }
                answered = calls.addAndGet(-answered);
            } while (answered > 0);
        }
    }
}
