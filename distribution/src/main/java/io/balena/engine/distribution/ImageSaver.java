package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Writes images into archives, straight from their layers: nothing is put on the disk.
public final class ImageSaver {
    private final LayerStore layers;
    private final Images images;

    public ImageSaver(LayerStore layers, Images images) {
        this.layers = layers;
        this.images = images;
    }

    /// Writes the images of `names` and their layers to `archive`, as `docker save` does.
    ///
    /// @param names names, ids or prefixes of ids; a name without a tag stands for all tags of its repository
    /// @param platform what each image must be of, `os[/arch[/variant]]` or a JSON object; empty for any
    /// @return the images, in the order of the archive
    /// @throws DistributionException.NoSuchImage before anything is written
    /// @throws IOException when a layer is damaged, or writing to `archive` failed: what was written so far is of no use
    public List<Image> save(List<String> names, Optional<String> platform, OutputStream archive) throws IOException {
        Catalogue catalogue = images.catalogue();
        Map<Image, Set<ImageReference>> selected = new LinkedHashMap<>();
        for (String name : names) select(catalogue, name, selected);
        platform.map(Platform::requested).ifPresent(wanted -> selected.keySet().forEach(image -> check(image, wanted)));
        try (var held = new HeldLayers(layers)) {
            List<SavedImage> saved = new ArrayList<>();
            for (var entry : selected.entrySet()) saved.add(saved(entry.getKey(), List.copyOf(entry.getValue()), held));
            new ImageArchiveWriter(layers, archive).write(saved);
        }
        return List.copyOf(selected.keySet());
    }

    private static void select(Catalogue catalogue, String name, Map<Image, Set<ImageReference>> selected) {
        Optional<ImageReference> reference = name.matches("(sha256:)?[0-9a-f]{64}") ? Optional.empty() : Optional.of(Catalogue.read(name));
        if (reference.filter(r -> r.tag().isEmpty() && r.digest().isEmpty()).isPresent()) {
            List<ImageReference> all = catalogue.references().in(reference.get().familiarName());
            all.forEach(each -> select(catalogue, each, selected));
            if (!all.isEmpty()) return;
        }
        if (reference.flatMap(catalogue.references()::get).isPresent()) {
            select(catalogue, reference.get(), selected);
            return;
        }
        try {
            selected.computeIfAbsent(catalogue.resolve(name), _ -> new LinkedHashSet<>());
        } catch (DistributionException.NoSuchImage e) {
            throw new DistributionException.NoSuchImage(name);
        }
    }

    private static void select(Catalogue catalogue, ImageReference name, Map<Image, Set<ImageReference>> selected) {
        Image image = catalogue.references().get(name).flatMap(catalogue::find)
                .orElseThrow(() -> new DistributionException.NoSuchImage(name.familiar()));
        Set<ImageReference> tags = selected.computeIfAbsent(image, _ -> new LinkedHashSet<>());
        if (name.digest().isEmpty()) tags.add(name);
    }

    private static void check(Image image, Platform wanted) {
        Platform actual = Platform.of(image.config());
        if (actual.equals(wanted)) return;
        throw new DistributionException.NoSuchImage(image.id() + " for platform " + wanted + ", only for " + actual);
    }

    private SavedImage saved(Image image, List<ImageReference> tags, HeldLayers held) throws IOException {
        byte[] config = images.configuration(image.id());
        // The topmost layer keeps all those below it.
        if (image.chain().isPresent() && !held.hold(image.chain().get())) {
            throw new DistributionException.NoSuchImage(image.id().toString());
        }
        List<SavedImage.SavedLayer> saved = new ArrayList<>();
        Optional<ChainId> chain = Optional.empty();
        for (DiffId diffId : image.diffIds()) {
            chain = Optional.of(ChainId.of(chain, diffId));
            saved.add(new SavedImage.SavedLayer(chain.get(), diffId, layers.tarSize(chain.get())));
        }
        return new SavedImage(image, config, tags, saved);
    }
}
