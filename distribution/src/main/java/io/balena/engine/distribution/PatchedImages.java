package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The images that came into an archive as deltas.
final class PatchedImages implements AutoCloseable {
    private final LayerStore layers;
    private final Images images;
    private final DeltaBases bases;
    private final ArchiveContents contents;
    private final HeldLayers held;
    private final List<PatchedLayers> made = new ArrayList<>();

    /// @param held keeps their layers
    PatchedImages(LayerStore layers, Images images, DeltaBases bases, ArchiveContents contents, HeldLayers held) {
        this.layers = layers;
        this.images = images;
        this.bases = bases;
        this.contents = contents;
        this.held = held;
    }

    /// Makes the layers of one, unless the image is here: then it only gets its names.
    void make(ArchivedImage image, Progress progress) throws IOException {
        Optional<ChainId> top = ChainId.of(image.config().diffIds());
        if (images.find(image.id()).isPresent() && (top.isEmpty() || held.hold(top.get()))) {
            progress.status("", "Target image already exists locally, no need to load it.");
            return;
        }
        var patched = new PatchedLayers(image, contents, layers, held);
        made.add(patched);
        try (DeltaBase base = bases.open(image.delta().orElseThrow())) {
            patched.make(base);
        }
    }

    void commit() throws IOException {
        for (PatchedLayers each : made) each.commit();
    }

    @Override
    public void close() throws IOException {
        for (PatchedLayers each : made) each.close();
    }
}
