package io.balena.engine.daemon.image;

import io.balena.engine.daemon.http.ErrorResponses;
import io.balena.engine.distribution.Progress;
import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Lets a long operation run and tells a client of it.
///
/// The operation never waits for the client: what a slow one has not read yet is replaced by what is true now, so that no more is
/// kept than a few lines for each layer.
final class MessageStream implements Progress {
    /// Shortest time between two deliveries: nobody sees more than ten steps of a bar in a second.
    private static final long PAUSE_MILLIS = 100;

    /// What is to be done.
    @FunctionalInterface
    interface Operation {
        void run(MessageStream messages) throws IOException;
    }

    private final Map<String, JsonMessage> waiting = new LinkedHashMap<>();
    private int lines;
    private boolean ended;
    private Throwable failure;

    private MessageStream() {}

    /// Runs `operation` and writes its messages to `out`.
    ///
    /// A failure before the first message is thrown, so that it becomes a response of its own; one after it is the last message. When
    /// this thread is interrupted, because the client has left, the operation is interrupted too, and has ended when this returns.
    static void run(Operation operation, OutputStream out) throws IOException {
        var stream = new MessageStream();
        Thread worker = Thread.ofVirtual().start(() -> stream.perform(operation));
        try {
            stream.deliver(out);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("the client has left");
        } finally {
            worker.interrupt();
            joinUninterruptibly(worker);
        }
    }

    private void perform(Operation operation) {
        Throwable thrown = null;
        try {
            operation.run(this);
        } catch (Throwable e) {
            thrown = e;
        }
        synchronized (this) {
            failure = thrown;
            ended = true;
            notifyAll();
        }
    }

    @Override
    public synchronized void status(String id, String status) {
        // What the bar of a layer would have shown before it ended, nobody needs any more.
        if (!id.isEmpty()) waiting.remove("advance " + id);
        String key = id.isEmpty() ? "line " + lines++ : "status " + id + status.replaceAll("\\d+", "");
        replace(key, JsonMessage.status(id, status));
    }

    /// A line of text for the client to print as it is.
    synchronized void say(String text) {
        replace("line " + lines++, JsonMessage.text(text + "\n"));
    }

    @Override
    public synchronized void advance(String id, String status, long current, long total) {
        replace("advance " + id, JsonMessage.advance(id, status, current, total));
    }

    @Override
    public synchronized void pushed(String tag, Digest manifest, int size) {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("Tag", tag);
        result.put("Digest", manifest.toString());
        result.put("Size", size);
        replace("line " + lines++, JsonMessage.aux(result));
    }

    private void replace(String key, JsonMessage message) {
        waiting.remove(key);
        waiting.put(key, message);
        notifyAll();
    }

    private void deliver(OutputStream out) throws IOException, InterruptedException {
        boolean begun = false;
        while (true) {
            List<JsonMessage> batch;
            boolean last;
            synchronized (this) {
                while (waiting.isEmpty() && !ended) wait();
                batch = new ArrayList<>(waiting.values());
                waiting.clear();
                last = ended;
            }
            if (last && failure != null) {
                if (!begun && batch.isEmpty()) throw rethrown(failure);
                batch.add(JsonMessage.error(ErrorResponses.message(failure)));
            }
            for (JsonMessage message : batch) out.write(message.line());
            out.flush();
            begun = true;
            if (last) return;
            pause();
        }
    }

    private synchronized void pause() throws InterruptedException {
        long end = System.nanoTime() + PAUSE_MILLIS * 1_000_000;
        for (long left; !ended && (left = end - System.nanoTime()) > 0; ) wait(left / 1_000_000 + 1);
    }

    private static IOException rethrown(Throwable failure) {
        return switch (failure) {
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case IOException e -> e;
            default -> new IOException(failure);
        };
    }

    private static void joinUninterruptibly(Thread worker) {
        boolean interrupted = false;
        while (true) {
            try {
                worker.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) Thread.currentThread().interrupt();
    }
}
