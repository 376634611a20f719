package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.InvalidLayerException;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.graphdriver.StagedLayer;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;

/// One layer on its way from a registry into the layer store, for all the pulls that want it.
///
/// ```
/// QUEUED ── fetch ──▶ FETCHING ── finished ──▶ WAITING ── parent committed ──▶ PUBLISHING ──▶ ENDED, held for the pulls
///    └───────────────────┴── a failure, or the last pull leaves ──┴──────────────────┴──────▶ ENDED
/// ```
/// What was finished stays in the store when all pulls have left: the next one finds it there.
final class LayerDownload implements Transfer<LayerListener> {
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

    private enum State { QUEUED, FETCHING, WAITING, PUBLISHING, ENDED }

    private final AtomicReference<State> state = new AtomicReference<>(State.QUEUED);
    /// The store has the layer, finished or published, and keeps it for us.
    private final AtomicBoolean reserved = new AtomicBoolean();
    private final Cancellation cancellation = new Cancellation();
    private final Listeners<LayerListener> listeners = new Listeners<>();
    /// The layer, retained for us until the last pull leaves.
    private final CompletableFuture<Layer> committed = new CompletableFuture<>();
    /// Nothing of it is running any more.
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
        reserved.set(layers.reserve(order.chain()));
    }

    @Override
    public String threadName() {
        return "layer-" + order.blob().digest().shortHex();
    }

    @Override
    public Listeners<LayerListener> listeners() {
        return listeners;
    }

    /// Whoever comes after a failure tries again, even while others are still leaving.
    @Override
    public boolean isOver() {
        return committed.isCompletedExceptionally();
    }

    CompletableFuture<Layer> committed() {
        return committed;
    }

    @Override
    public CompletableFuture<Void> ended() {
        return ended;
    }

    /// Fetches, verifies and extracts, unless an earlier pull did.
    @Override
    public void run() {
        if (!state.compareAndSet(State.QUEUED, State.FETCHING)) return;
        boolean done = false;
        try {
            cancellation.check();
            if (!reserved.get()) bringIn();
            done = true;
        } catch (Throwable e) {
            // Even an Error: somebody waits for the outcome.
            fail(e);
        } finally {
            repository.close();
            if (done) state.set(State.WAITING);
            else end();
        }
    }

    private void bringIn() throws IOException {
        try (StagedLayer layer = layers.stage()) {
            extract(layer);
            try {
                layer.finish(order.parentChain());
            } catch (IOException disk) {
                throw new IOException(REFUSED + disk.getMessage(), disk);
            }
            reserved.set(true);
        }
    }

    /// Publishes what was fetched, after the layer below.
    @Override
    public void finish() {
        if (state.get() != State.WAITING) return;
        if (cancellation.isCancelled()) {
            if (state.compareAndSet(State.WAITING, State.PUBLISHING)) end();
            return;
        }
        if (parent.isEmpty()) {
            publish();
            return;
        }
        CompletableFuture<Layer> below = parent.get().committed();
        if (below.isDone()) afterParent(below);
        else below.whenComplete((_, _) -> Thread.ofPlatform().name("layer-commit").daemon().start(() -> afterParent(below)));
    }

    @Override
    public void cancel(boolean started) {
        cancellation.cancel();
        committed.completeExceptionally(new CancellationException());
        boolean queued = state.compareAndSet(State.QUEUED, State.ENDED);
        if (queued) repository.close();
        boolean idle = queued || state.compareAndSet(State.WAITING, State.ENDED);
        if (state.get() == State.ENDED) endUse();
        if (idle) leaveParent();
    }

    private void extract(StagedLayer layer) throws IOException {
        try (var blob = new BlobStream(repository, order.blob(), retries, cancellation, watcher())) {
            try {
                DiffId actual;
                try (InputStream tar = Compression.decompress(blob)) {
                    actual = layer.extract(tar);
                    blob.verify();
                }
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
            publish();
            return;
        }
        if (!state.compareAndSet(State.WAITING, State.PUBLISHING)) return;
        fail(failure);
        end();
    }

    private void publish() {
        if (!state.compareAndSet(State.WAITING, State.PUBLISHING)) return; // cancelled
        try {
            Layer done = layers.publish(order.chain());
            listeners.tell(LayerListener::complete);
            committed.complete(done);
        } catch (Throwable e) {
            fail(e instanceof IOException disk ? new IOException(REFUSED + disk.getMessage(), disk) : e);
        } finally {
            end();
        }
    }

    private void fail(Throwable cause) {
        committed.completeExceptionally(cause);
    }

    /// Only a layer that pulls still want is held after this.
    private void end() {
        state.set(State.ENDED);
        if (cancellation.isCancelled() || committed.isCompletedExceptionally()) endUse();
        leaveParent();
    }

    private void endUse() {
        if (reserved.getAndSet(false)) layers.endUse(order.chain());
    }

    /// We have not ended before what we alone kept going has.
    private void leaveParent() {
        if (parentRetained) layers.endUse(order.parentChain().orElseThrow());
        if (parent.isEmpty()) ended.complete(null);
        else parent.get().leave().thenRun(() -> ended.complete(null));
    }

    private BlobStream.Watcher watcher() {
        return new BlobStream.Watcher() {
            @Override
            public void reached(long bytes) {
                listeners.tell(listener -> listener.extracting(bytes));
            }

            @Override
            public void retryingIn(int seconds) {
                listeners.tell(listener -> listener.retryingIn(seconds));
            }
        };
    }
}
