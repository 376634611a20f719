package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// All layers on their way in. Pulls that want the same layer from the same registry share one download.
final class LayerDownloads {
    /// The registry is part of it, so that a stalling one cannot hold up a pull from another.
    private record Key(String registry, Digest blob, ChainId chain) {}

    private final LayerStore layers;
    private final BlobRecords records;
    private volatile RetryPolicy retries;
    private final SharedTransfers<Key, LayerDownload, LayerListener> transfers;

    LayerDownloads(LayerStore layers, BlobRecords records, RetryPolicy retries, int atOnce) {
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

    /// Joins the download of a layer, or begins it.
    ///
    /// @param parent the caller's seat on the download of the layer below, when that is on its way too
    Seat join(LayerDownload.Order order, Optional<Seat> parent, LayerListener listener) {
        Key key = new Key(order.repository().host(), order.blob().digest(), order.chain());
        // It needs the layer below for itself: the pull that brought it may leave before others do.
        return new Seat(transfers.join(key, () -> new LayerDownload(order, layers, records, retries, parent.map(Seat::another)), listener));
    }

    /// Notes where a layer could have been had that is there already.
    void alreadyHere(Descriptor blob, DiffId layer, String sourceName) {
        records.record(blob, layer, sourceName);
    }

    /// One pull's interest in a download.
    record Seat(SharedTransfers<?, LayerDownload, LayerListener>.Seat seat) {
        private Seat another() {
            return new Seat(seat.another());
        }

        CompletableFuture<Layer> committed() {
            return seat.transfer().committed();
        }

        /// As [SharedTransfers.Seat#leave()]; what is finished stays in the store.
        CompletableFuture<Void> leave() {
            return seat.leave();
        }
    }
}
