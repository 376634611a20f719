package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// All layers on their way in. Pulls that want the same layer from the same registry share one download; a few run at a time, first
/// come first served.
final class LayerDownloads {
    /// The registry is part of it, so that a stalling one cannot hold up a pull from another; and so is what the blob holds a delta of.
    private record Key(String registry, Digest blob, ChainId chain, Optional<ImageId> base) {}

    private final LayerStore layers;
    private final BlobRecords records;
    private volatile RetryPolicy retries;
    private volatile int atOnce;

    private final Map<Key, Shared> wanted = new HashMap<>();
    private final Deque<Shared> queue = new ArrayDeque<>();
    private int running;

    LayerDownloads(LayerStore layers, BlobRecords records, RetryPolicy retries, int atOnce) {
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

    /// Joins the download of a layer, or begins it.
    ///
    /// @param parent the caller's seat on the download of the layer below, when that is on its way too
    Seat join(LayerDownload.Order order, Optional<Seat> parent, LayerListener listener) {
        Seat seat;
        boolean waits;
        synchronized (this) {
            Key key = new Key(order.repository().host(), order.blob().digest(), order.chain(), order.base().map(DeltaBase::id));
            Shared shared = wanted.get(key);
            // Whoever comes after a failure tries again, even while others are still leaving.
            if (shared == null || shared.download.committed().isCompletedExceptionally()) {
                // It needs the layer below for itself: the pull that brought it may leave before others do.
                Optional<Seat> ownParent = parent.map(below -> new Seat(below.shared, Optional.empty()));
                shared = new Shared(key, new LayerDownload(order, layers, records, retries, ownParent));
                wanted.put(key, shared);
                queue.add(shared);
            }
            shared.download.listen(listener);
            seat = new Seat(shared, Optional.of(listener));
            startNext();
            waits = !shared.started;
        }
        if (waits) listener.waiting();
        return seat;
    }

    /// Notes where a layer could have been had that is there already.
    void alreadyHere(Descriptor blob, DiffId layer, String sourceName) {
        records.record(blob, layer, sourceName);
    }

    private synchronized void startNext() {
        while (running < atOnce && !queue.isEmpty()) {
            Shared next = queue.remove();
            next.started = true;
            running++;
            Thread.ofPlatform().name("layer-" + next.key.blob().shortHex()).daemon().start(() -> run(next.download));
        }
    }

    private void run(LayerDownload download) {
        boolean fetched = false;
        try {
            fetched = download.fetch();
        } finally {
            synchronized (this) {
                running--;
                startNext();
            }
        }
        if (fetched) download.publishAfterParent();
    }

    private static final class Shared {
        private final Key key;
        private final LayerDownload download;
        private boolean started;
        private int seats;

        Shared(Key key, LayerDownload download) {
            this.key = key;
            this.download = download;
        }
    }

    /// One pull's interest in a download.
    final class Seat {
        private final Shared shared;
        private final Optional<LayerListener> listener;
        private boolean left;

        private Seat(Shared shared, Optional<LayerListener> listener) {
            this.shared = shared;
            this.listener = listener;
            synchronized (LayerDownloads.this) {
                shared.seats++;
            }
        }

        CompletableFuture<Layer> committed() {
            return shared.download.committed();
        }

        /// Ends this interest. With the last one the download ends; what it has finished stays in the store.
        ///
        /// @return done when nothing that nobody wants is running any more
        CompletableFuture<Void> leave() {
            boolean last;
            synchronized (LayerDownloads.this) {
                if (left) return CompletableFuture.completedFuture(null);
                left = true;
                listener.ifPresent(shared.download::ignore);
                if (--shared.seats > 0) return CompletableFuture.completedFuture(null);
                wanted.remove(shared.key, shared);
                queue.remove(shared);
                last = wanted.isEmpty();
            }
            shared.download.cancel();
            return last ? shared.download.ended().thenRun(Leftovers::collect) : shared.download.ended();
        }
    }
}
