package io.balena.engine.distribution;

import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.LayerStore;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/// All layers on their way out. Pushes that want the same layer in the same repository share one upload; a few run at a time, first come
/// first served.
final class LayerUploads {
    /// The login is part of it, so that nobody fails, or succeeds, by that of another.
    private record Key(String repository, Credentials credentials, DiffId layer) {}

    private final LayerStore layers;
    private final BlobRecords records;
    private volatile RetryPolicy retries;
    private volatile int atOnce;
    /// One for all, so that more uploads at once do not mean more threads that deflate.
    private final ReproducibleGzip gzip = new ReproducibleGzip();

    private final Map<Key, Shared> wanted = new HashMap<>();
    private final Deque<Shared> queue = new ArrayDeque<>();
    private int running;

    LayerUploads(LayerStore layers, BlobRecords records, RetryPolicy retries, int atOnce) {
        this.layers = layers;
        this.records = records;
        this.retries = retries;
        this.atOnce = atOnce;
    }

    /// For those that begin from now on.
    void reconfigure(RetryPolicy nextRetries, int nextAtOnce) {
        retries = nextRetries;
        atOnce = nextAtOnce;
    }

    /// Joins the upload of a layer, or begins it.
    Seat join(LayerUpload.Order order, UploadListener listener) {
        Seat seat;
        boolean waits;
        synchronized (this) {
            Key key = new Key(order.target().fullName(), order.credentials(), order.layer().diffId());
            Shared shared = wanted.get(key);
            // Whoever comes after its end asks the registry again.
            if (shared == null || shared.upload.uploaded().isDone()) {
                shared = new Shared(key, new LayerUpload(order, layers, records, gzip, retries));
                wanted.put(key, shared);
                queue.add(shared);
            }
            shared.upload.listen(listener);
            seat = new Seat(shared, listener);
            startNext();
            waits = !shared.started;
        }
        if (waits) listener.waiting();
        return seat;
    }

    private synchronized void startNext() {
        while (running < atOnce && !queue.isEmpty()) {
            Shared next = queue.remove();
            next.started = true;
            running++;
            Thread.ofPlatform().name("push-" + next.key.layer().digest().shortHex()).daemon().start(() -> run(next.upload));
        }
    }

    private void run(LayerUpload upload) {
        try {
            upload.run();
        } finally {
            synchronized (this) {
                running--;
                startNext();
            }
        }
    }

    private static final class Shared {
        private final Key key;
        private final LayerUpload upload;
        private boolean started;
        private int seats;

        Shared(Key key, LayerUpload upload) {
            this.key = key;
            this.upload = upload;
        }
    }

    /// One push's interest in an upload.
    final class Seat {
        private final Shared shared;
        private final UploadListener listener;
        private boolean left;

        private Seat(Shared shared, UploadListener listener) {
            this.shared = shared;
            this.listener = listener;
            shared.seats++;
        }

        CompletableFuture<Descriptor> uploaded() {
            return shared.upload.uploaded();
        }

        /// Ends this interest. With the last one the upload ends.
        ///
        /// @return done when nothing that nobody wants is running any more
        CompletableFuture<Void> leave() {
            boolean started;
            boolean last;
            synchronized (LayerUploads.this) {
                if (left) return CompletableFuture.completedFuture(null);
                left = true;
                shared.upload.ignore(listener);
                if (--shared.seats > 0) return CompletableFuture.completedFuture(null);
                wanted.remove(shared.key, shared);
                queue.remove(shared);
                started = shared.started;
                last = wanted.isEmpty();
            }
            shared.upload.cancel(started);
            return last ? shared.upload.ended().thenRun(Leftovers::collect) : shared.upload.ended();
        }
    }
}
