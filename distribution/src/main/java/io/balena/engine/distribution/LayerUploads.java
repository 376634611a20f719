package io.balena.engine.distribution;

import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.LayerStore;
import java.util.concurrent.CompletableFuture;

/// All layers on their way out. Pushes that want the same layer in the same repository share one upload.
final class LayerUploads {
    /// The login is part of it, so that nobody fails, or succeeds, by that of another.
    private record Key(String repository, Credentials credentials, DiffId layer) {}

    private final LayerStore layers;
    private final BlobRecords records;
    private volatile RetryPolicy retries;
    /// One for all, so that more uploads at once do not mean more threads that deflate.
    private final ReproducibleGzip gzip = new ReproducibleGzip();
    private final SharedTransfers<Key, LayerUpload, UploadListener> transfers;

    LayerUploads(LayerStore layers, BlobRecords records, RetryPolicy retries, int atOnce) {
        this.layers = layers;
        this.records = records;
        this.retries = retries;
        this.transfers = new SharedTransfers<>(atOnce);
    }

    /// For those that begin from now on.
    void reconfigure(RetryPolicy nextRetries, int nextAtOnce) {
        retries = nextRetries;
        transfers.limit(nextAtOnce);
    }

    /// Joins the upload of a layer, or begins it.
    Seat join(LayerUpload.Order order, UploadListener listener) {
        Key key = new Key(order.target().fullName(), order.credentials(), order.layer().diffId());
        return new Seat(transfers.join(key, () -> new LayerUpload(order, layers, records, gzip, retries), listener));
    }

    /// One push's interest in an upload.
    record Seat(SharedTransfers<?, LayerUpload, UploadListener>.Seat seat) {
        CompletableFuture<Descriptor> uploaded() {
            return seat.transfer().uploaded();
        }

        /// As [SharedTransfers.Seat#leave()].
        CompletableFuture<Void> leave() {
            return seat.leave();
        }
    }
}
