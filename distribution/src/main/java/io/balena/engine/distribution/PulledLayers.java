package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/// The layers of one pull: those that are there, and those on their way, lowest first.
final class PulledLayers {
    private final LayerStore layers;
    private final LayerDownloads downloads;
    private final List<Descriptor> blobs;
    private final List<DiffId> diffIds;
    private final Optional<DeltaBase> base;
    /// The chain below each layer, and the whole one last.
    private final List<Optional<ChainId>> chains = new ArrayList<>();
    private final List<LayerDownloads.Seat> seats = new ArrayList<>();

    /// @param blobs as many as `diffIds`
    /// @param base of what the blobs hold deltas, if they do
    PulledLayers(LayerStore layers, LayerDownloads downloads, List<Descriptor> blobs, List<DiffId> diffIds, Optional<DeltaBase> base) {
        this.layers = layers;
        this.downloads = downloads;
        this.blobs = blobs;
        this.diffIds = diffIds;
        this.base = base;
        chains.add(Optional.empty());
        for (DiffId diffId : diffIds) chains.add(Optional.of(ChainId.of(chains.getLast(), diffId)));
    }

    /// Brings in what is missing.
    ///
    /// @param sourceName where from, e.g. `docker.io/library/busybox`
    /// @return the topmost layer, retained for the caller; empty for an image without layers
    /// @throws java.io.InterruptedIOException when the calling thread is interrupted
    Optional<ChainId> fetch(Repository repository, String sourceName, Progress progress) throws IOException {
        if (base.isEmpty()) return fetchMissing(repository, sourceName, progress);
        try (var common = new CommonLayers(layers, base.get())) {
            common.bringIn(diffIds);
            return fetchMissing(repository, sourceName, progress);
        }
    }

    private Optional<ChainId> fetchMissing(Repository repository, String sourceName, Progress progress) throws IOException {
        int present = retainPresent();
        try {
            join(present, repository, sourceName, progress);
            await();
            Optional<ChainId> top = chains.getLast();
            if (top.isPresent() && !layers.retain(top.get())) throw new IOException("layer " + top.get() + " has vanished");
            return top;
        } finally {
            leave(present);
        }
    }

    /// @return how many of the lowest layers are in the store; the topmost of them is retained
    private int retainPresent() {
        for (int count = diffIds.size(); count > 0; count--) {
            if (layers.retain(chains.get(count).orElseThrow())) return count;
        }
        return 0;
    }

    private void join(int present, Repository repository, String sourceName, Progress progress) {
        List<Descriptor> missing = blobs.subList(present, blobs.size());
        for (int i = 0; i < present; i++) {
            progress.status(blobs.get(i).digest().shortHex(), "Already exists");
            if (base.isEmpty()) downloads.alreadyHere(blobs.get(i), diffIds.get(i), sourceName);
        }
        for (Descriptor blob : missing) progress.status(blob.digest().shortHex(), "Pulling fs layer");
        PullProgress drawn = new PullProgress(progress, missing);
        for (int i = present; i < blobs.size(); i++) {
            Descriptor blob = blobs.get(i);
            var order = new LayerDownload.Order(repository, sourceName, blob, diffIds.get(i), chains.get(i), base);
            Optional<LayerDownloads.Seat> below = i > present ? Optional.of(seats.getLast()) : Optional.empty();
            seats.add(downloads.join(order, below, drawn.layer(blob)));
        }
    }

    private void await() throws IOException {
        Together.await(seats.stream().map(LayerDownloads.Seat::committed).toList());
    }

    /// From the top, since each download sits on the one below.
    private void leave(int present) {
        List<CompletableFuture<Void>> ends = seats.reversed().stream().map(LayerDownloads.Seat::leave).toList();
        ends.forEach(CompletableFuture::join);
        if (present > 0) layers.endUse(chains.get(present).orElseThrow());
    }
}
