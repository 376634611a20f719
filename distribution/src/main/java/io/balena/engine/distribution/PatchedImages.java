package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.graphdriver.LayerTar;
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
    private final List<ArchivedImage> found;
    private final List<PatchedLayers> made = new ArrayList<>();

    /// @param held keeps their layers
    /// @param found all images of the archive: one may be what another starts from
    PatchedImages(LayerStore layers, Images images, DeltaBases bases, ArchiveContents contents, HeldLayers held, List<ArchivedImage> found) {
        this.layers = layers;
        this.images = images;
        this.bases = bases;
        this.contents = contents;
        this.held = held;
        this.found = found;
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
        try (DeltaBase base = base(image.delta().orElseThrow())) {
            patched.make(base);
        }
    }

    private DeltaBase base(DeltaImage delta) throws IOException {
        for (ArchivedImage image : found) {
            if (image.delta().isEmpty() && image.id().equals(delta.baseId())) return inArchive(image);
        }
        return bases.open(delta);
    }

    /// What came beside the delta, extracted and compared with its configuration, but not installed yet.
    private DeltaBase inArchive(ArchivedImage image) throws IOException {
        List<ChainId> chains = new ArrayList<>();
        List<LayerTar> tars = new ArrayList<>();
        for (int i = 0; i < image.layers().size(); i++) {
            chains.add(ChainId.of(image.config().diffIds().subList(0, i + 1)).orElseThrow());
            tars.add(contents.tar(image.layers().get(i)));
        }
        return new DeltaBase(image.id(), chains, tars, () -> {});
    }

    void commit() throws IOException {
        for (PatchedLayers each : made) each.commit();
    }

    @Override
    public void close() throws IOException {
        for (PatchedLayers each : made) each.close();
    }
}
