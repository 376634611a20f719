package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/// The body of a response, read by one thread while the network fills a bounded queue.
///
/// Unlike the JDK's own, it lets the network run ahead of the reader by some hundred kilobytes, and notices a connection gone silent.
final class ResponseBody extends InputStream implements BodySubscriber<ResponseBody> {
    /// In deliveries; the JDK delivers up to 16 KiB at a time.
    private static final int WINDOW = 32;

    private sealed interface Event {
        record Data(List<ByteBuffer> buffers) implements Event {}

        record End() implements Event {}

        record Failure(Throwable cause) implements Event {}
    }

    private final Duration idleTimeout;
    private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private final CompletableFuture<Flow.Subscription> subscription = new CompletableFuture<>();

    private List<ByteBuffer> delivered = List.of();
    private int next;
    private int consumed;
    private boolean ended;

    ResponseBody(Duration idleTimeout) {
        this.idleTimeout = idleTimeout;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    /// @throws HttpTimeoutException when nothing came for the idle timeout
    /// @throws InterruptedIOException when the reading thread is interrupted
    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        if (length == 0) return 0;
        while (!ended) {
            while (next < delivered.size()) {
                ByteBuffer buffer = delivered.get(next);
                int count = Math.min(length, buffer.remaining());
                if (count > 0) {
                    buffer.get(target, offset, count);
                    return count;
                }
                next++;
            }
            advance();
        }
        return -1;
    }

    /// Gives up the rest; the connection is closed unless the body was read to its end.
    @Override
    public void close() {
        subscription.thenAccept(Flow.Subscription::cancel);
        events.add(new Event.Failure(new IOException("closed")));
    }

    private void advance() throws IOException {
        switch (take()) {
            case Event.Data(List<ByteBuffer> buffers) -> {
                delivered = buffers;
                next = 0;
                if (++consumed == WINDOW / 2) {
                    consumed = 0;
                    subscription.join().request(WINDOW / 2);
                }
            }
            case Event.End() -> {
                delivered = List.of();
                ended = true;
            }
            case Event.Failure(IOException cause) -> throw new IOException(cause.getMessage(), cause);
            case Event.Failure(Throwable cause) -> throw new IOException(cause);
        }
    }

    private Event take() throws IOException {
        try {
            Event event = events.poll(idleTimeout.toMillis(), TimeUnit.MILLISECONDS);
            if (event != null) return event;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            close();
            throw new InterruptedIOException("the client has left");
        }
        close();
        throw new HttpTimeoutException("no data for " + idleTimeout.toMillis() + " ms");
    }

    @Override
    public CompletionStage<ResponseBody> getBody() {
        return CompletableFuture.completedFuture(this);
    }

    @Override
    public void onSubscribe(Flow.Subscription newSubscription) {
        newSubscription.request(WINDOW);
        subscription.complete(newSubscription);
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        events.add(new Event.Data(buffers));
    }

    @Override
    public void onError(Throwable cause) {
        events.add(new Event.Failure(cause));
    }

    @Override
    public void onComplete() {
        events.add(new Event.End());
    }
}
