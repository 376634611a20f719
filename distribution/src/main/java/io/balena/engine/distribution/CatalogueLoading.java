package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Finds the images of a data root, once, when it is opened. What is damaged costs that image, or the names, alone.
record CatalogueLoading(ImageFiles files, LayerStore layers) {
    private static final Logger LOG = System.getLogger(CatalogueLoading.class.getName());

    /// Retains the layers of every image.
    Catalogue load() throws IOException {
        Optional<References> references = references();
        Catalogue catalogue = new Catalogue(Map.of(), references.orElse(References.none()));
        for (ImageId id : files.ids()) {
            if (files.wasChanging(id) && finishChange(id, references)) continue;
            Optional<Image> image = load(id);
            if (image.isPresent()) catalogue = catalogue.with(image.get());
        }
        return catalogue;
    }

    /// @return empty when they are damaged
    private Optional<References> references() throws IOException {
        try {
            return Optional.of(files.references());
        } catch (ImageFiles.DamagedFile e) {
            files.quarantine(e);
            return Optional.empty();
        }
    }

    /// @param references empty when nobody knows any more what had names
    /// @return whether `id` is gone
    private boolean finishChange(ImageId id, Optional<References> references) throws IOException {
        if (references.isEmpty() || references.get().name(id)) {
            files.endChange(id);
            return false;
        }
        LOG.log(Level.INFO, "removing image " + id + ", which had not yet got its first name, or had lost its last");
        files.delete(id);
        return true;
    }

    private Optional<Image> load(ImageId id) throws IOException {
        try {
            ImageConfig config = ImageConfig.parse(files.config(id));
            Optional<ChainId> top = ChainId.of(config.diffIds());
            if (top.isPresent() && !layers.retain(top.get())) {
                LOG.log(Level.WARNING, "leaving out image " + id + ": its layer " + top.get() + " is missing");
                return Optional.empty();
            }
            long size = sizeOf(layers, config.diffIds());
            return Optional.of(new Image(id, config.document(), config.diffIds(), parent(id), size));
        } catch (ImageFiles.DamagedFile e) {
            files.quarantine(e);
            return Optional.empty();
        } catch (DistributionException e) {
            LOG.log(Level.WARNING, "leaving out image " + id + ": " + e.getMessage());
            return Optional.empty();
        }
    }

    private Optional<ImageId> parent(ImageId id) {
        try {
            return files.parent(id);
        } catch (IOException | IllegalArgumentException e) {
            LOG.log(Level.WARNING, "the parent recorded for image " + id + " is damaged: " + e.getMessage());
            return Optional.empty();
        }
    }

    /// Bytes of all layers of an image.
    static long sizeOf(LayerStore layers, List<DiffId> diffIds) {
        long size = 0;
        Optional<ChainId> chain = Optional.empty();
        for (DiffId diffId : diffIds) {
            chain = Optional.of(ChainId.of(chain, diffId));
            size += chain.flatMap(layers::find).map(Layer::size).orElse(0L);
        }
        return size;
    }
}
