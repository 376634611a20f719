package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Digest;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.graphdriver.LayerTar;
import io.balena.engine.graphdriver.LayerTars;
import io.balena.engine.graphdriver.ReadOnlyLayers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Where the images are that deltas start from: our own, and those of a second data root, which another engine may be using and in which
/// nothing is ever written.
public final class DeltaBases {
    private static final long LARGEST_CONFIG = 4 << 20;

    private final Images images;
    private final LayerStore layers;
    private final Optional<Path> otherRoot;

    /// @param otherRoot of `--delta-data-root`
    public DeltaBases(Images images, LayerStore layers, Optional<Path> otherRoot) {
        this.images = images;
        this.layers = layers;
        this.otherRoot = otherRoot;
    }

    /// @return closed by the caller
    /// @throws DistributionException.NoDeltaBase in balenaEngine's words when it is nowhere
    DeltaBase open(DeltaImage delta) throws IOException {
        ImageId id = delta.baseId();
        Optional<DeltaBase> found = inOurs(id);
        if (found.isEmpty()) found = inOther(id);
        return found.orElseThrow(() -> new DistributionException.NoDeltaBase("loading delta base image \"" + id + "\": failed to get digest " + id
                + ": open " + images.configurationFile(id) + ": no such file or directory"));
    }

    /// One of our own, to make a delta from or of it.
    DeltaBase open(Image image) throws IOException {
        return inOurs(image.id()).orElseThrow(() -> new DistributionException.NoSuchImage(image.id().toString()));
    }

    private Optional<DeltaBase> inOurs(ImageId id) throws IOException {
        Optional<Image> image = images.find(id);
        if (image.isEmpty()) return Optional.empty();
        Optional<ChainId> top = image.get().chain();
        // Removed just now.
        if (top.isPresent() && !layers.retain(top.get())) return Optional.empty();
        var held = new HeldLayers(layers);
        top.ifPresent(held::takeOver);
        return base(id, image.get().diffIds(), layers, held::closeQuietly);
    }

    private Optional<DeltaBase> inOther(ImageId id) throws IOException {
        if (otherRoot.isEmpty()) return Optional.empty();
        Path file = otherRoot.get().resolve("image/overlay2/imagedb/content/sha256").resolve(id.digest().hex());
        byte[] document;
        try {
            if (Files.size(file) > LARGEST_CONFIG) return Optional.empty();
            document = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        if (!Digest.of(document).equals(id.digest())) throw new IOException("delta base image \"" + id + "\" is damaged: " + file);
        return base(id, ImageConfig.parse(document).diffIds(), new ReadOnlyLayers(otherRoot.get()), () -> {});
    }

    /// @return empty when a layer is missing
    private static Optional<DeltaBase> base(ImageId id, List<DiffId> diffIds, LayerTars source, Runnable afterUse) throws IOException {
        List<ChainId> chains = new ArrayList<>();
        List<LayerTar> tars = new ArrayList<>();
        Optional<ChainId> chain = Optional.empty();
        for (DiffId diffId : diffIds) {
            chain = Optional.of(ChainId.of(chain, diffId));
            Optional<LayerTar> tar = source.tar(chain.get());
            if (tar.isEmpty()) {
                afterUse.run();
                return Optional.empty();
            }
            chains.add(chain.get());
            tars.add(tar.get());
        }
        return Optional.of(new DeltaBase(id, chains, tars, afterUse));
    }
}
