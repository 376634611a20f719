package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.InvalidLayerException;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.graphdriver.StagedLayer;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/// One layer on its way from a registry into the layer store, for all the pulls that want it.
///
/// ```
/// queued ── fetch ──▶ staged ── parent committed ──▶ commit ──▶ held for the pulls ── last one leaves ──▶ released
///    └───────────────────┴──── last one leaves, or a failure ────▶ nothing is left of it
/// ```
final class LayerDownload {
    private static final Logger LOG = System.getLogger(LayerDownload.class.getName());
    private static final String REFUSED = "failed to register layer: ";

    /// What to fetch, and what must come out.
    record Order(Repository repository, String sourceName, Descriptor blob, DiffId diffId, Optional<ChainId> parentChain) {
        ChainId chain() {
            return ChainId.of(parentChain, diffId);
        }
    }

    private final Order order;
    private final Repository repository;
    private final LayerStore layers;
    private final BlobRecords records;
    private final RetryPolicy retries;
    private final Optional<LayerDownloads.Seat> parent;
    private final boolean parentRetained;

    private final Cancellation cancellation = new Cancellation();
    private final List<LayerListener> listeners = new CopyOnWriteArrayList<>();
    /// Extracted, and waiting for its parent. Whoever takes it out commits or closes it.
    private final AtomicReference<StagedLayer> staged = new AtomicReference<>();
    /// The layer, retained for us until the last pull leaves.
    private final CompletableFuture<Layer> committed = new CompletableFuture<>();
    /// Nothing of it is running or lying about any more.
    private final CompletableFuture<Void> ended = new CompletableFuture<>();

    /// @param parent the download of the layer below, when that is on its way too
    LayerDownload(Order order, LayerStore layers, BlobRecords records, RetryPolicy retries, Optional<LayerDownloads.Seat> parent) {
        this.order = order;
        this.repository = order.repository().another();
        this.layers = layers;
        this.records = records;
        this.retries = retries;
        this.parent = parent;
        this.parentRetained = parent.isEmpty() && order.parentChain().filter(layers::retain).isPresent();
    }

    void listen(LayerListener listener) {
        listeners.add(listener);
    }

    void ignore(LayerListener listener) {
        listeners.remove(listener);
    }

    /// A listener that fails hears no more: its client has gone, and the others must not suffer for that.
    private void tell(Consumer<LayerListener> news) {
        for (LayerListener listener : listeners) {
            try {
                news.accept(listener);
            } catch (RuntimeException e) {
                listeners.remove(listener);
                LOG.log(Level.DEBUG, "a listener to layer " + order.blob().digest() + " failed", e);
            }
        }
    }

    CompletableFuture<Layer> committed() {
        return committed;
    }

    CompletableFuture<Void> ended() {
        return ended;
    }

    /// Fetches, verifies and extracts; the caller's thread does the work.
    ///
    /// @return whether [#commitAfterParent()] is to follow
    boolean fetch() {
        StagedLayer layer = null;
        boolean done = false;
        try {
            cancellation.check();
            layer = layers.stage();
            extract(layer);
            staged.set(layer);
            done = true;
        } catch (Throwable e) {
            // Even an Error: somebody waits for the outcome.
            fail(e);
        } finally {
            repository.close();
            if (!done) {
                discard(layer);
                end();
            }
        }
        return done;
    }

    void commitAfterParent() {
        // Cancelled between fetch and here: cancel() found nothing staged, or took it already.
        if (cancellation.isCancelled()) {
            discardStaged();
            return;
        }
        if (parent.isEmpty()) {
            commit();
            return;
        }
        CompletableFuture<Layer> below = parent.get().committed();
        if (below.isDone()) afterParent(below);
        else below.whenComplete((_, _) -> Thread.ofPlatform().name("layer-commit").daemon().start(() -> afterParent(below)));
    }

    /// Nobody wants it any more. What is running stops; the future [#ended()] tells when.
    ///
    /// @param started whether [#fetch()] was or will be called
    void cancel(boolean started) {
        cancellation.cancel();
        if (committed.completeExceptionally(new CancellationException())) {
            if (!started) {
                repository.close();
                end();
            }
            discardStaged();
        } else if (!committed.isCompletedExceptionally()) {
            releaseQuietly(committed.join().chainId());
        }
    }

    private void extract(StagedLayer layer) throws IOException {
        try (var blob = new BlobStream(repository, order.blob(), retries, cancellation, watcher())) {
            try {
                DiffId actual = layer.extract(Compression.decompress(blob));
                blob.verify();
                if (!actual.equals(order.diffId())) {
                    throw new DistributionException.InvalidContent("layers from manifest don't match image configuration", null);
                }
                records.record(order.blob(), order.diffId(), order.sourceName());
            } catch (IOException | RuntimeException e) {
                throw meaningOf(e, blob.failure());
            }
        }
    }

    /// @param below what went wrong with the blob, which the extraction may have wrapped
    private static IOException meaningOf(Exception e, Exception below) throws IOException {
        switch (below == null ? e : below) {
            case DistributionException known -> throw known;
            case IOException transfer when below != null -> throw transfer;
            case InvalidLayerException invalid -> throw new DistributionException.InvalidContent(REFUSED + e.getMessage(), invalid);
            case CorruptStreamException corrupt -> throw new DistributionException.InvalidContent(REFUSED + e.getMessage(), corrupt);
            case IOException disk -> throw new IOException(REFUSED + disk.getMessage(), disk);
            case RuntimeException bug -> throw bug;
            default -> throw new IOException(e);
        }
    }

    private void afterParent(CompletableFuture<Layer> below) {
        Throwable failure = below.handle((_, cause) -> cause).join();
        if (failure == null) {
            commit();
            return;
        }
        fail(failure);
        discardStaged();
    }

    private void commit() {
        StagedLayer layer = staged.getAndSet(null);
        if (layer == null) return;
        try (layer) {
            Layer done = layer.commit(order.parentChain());
            tell(LayerListener::complete);
            if (!committed.complete(done)) layers.release(done.chainId());
        } catch (Throwable e) {
            fail(e instanceof IOException disk ? new IOException(REFUSED + disk.getMessage(), disk) : e);
        } finally {
            end();
        }
    }

    private void fail(Throwable cause) {
        committed.completeExceptionally(cause);
    }

    private void discardStaged() {
        StagedLayer layer = staged.getAndSet(null);
        if (layer == null) return;
        discard(layer);
        end();
    }

    private void discard(StagedLayer layer) {
        try {
            if (layer != null) layer.close();
        } catch (IOException e) {
            LOG.log(Level.WARNING, "could not remove the unfinished layer of " + order.blob().digest() + ": " + e);
        }
    }

    /// We have not ended before what we alone kept going has.
    private void end() {
        if (parentRetained) releaseQuietly(order.parentChain().orElseThrow());
        if (parent.isEmpty()) ended.complete(null);
        else parent.get().leave().thenRun(() -> ended.complete(null));
    }

    private void releaseQuietly(ChainId chain) {
        try {
            layers.release(chain);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "could not remove layer " + chain + ": " + e);
        }
    }

    private BlobStream.Watcher watcher() {
        return new BlobStream.Watcher() {
            @Override
            public void reached(long bytes) {
                tell(listener -> listener.extracting(bytes));
            }

            @Override
            public void retryingIn(int seconds) {
                tell(listener -> listener.retryingIn(seconds));
            }
        };
    }
}
