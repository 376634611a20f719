package io.balena.engine.distribution;

import io.balena.engine.delta.InvalidDeltaException;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.InvalidLayerException;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.graphdriver.LayerTar;
import io.balena.engine.graphdriver.StagedLayer;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The layers of an image whose deltas came in an archive, made before anything of them is visible. What is not committed is removed by
/// [#close()].
final class PatchedLayers implements AutoCloseable {
    private static final String REFUSED = "failed to register layer: ";

    private final ArchivedImage image;
    private final ArchiveContents contents;
    private final LayerStore layers;
    private final HeldLayers held;
    private final List<Made> made = new ArrayList<>();

    private record Made(StagedLayer staged, Optional<ChainId> below) {}

    /// @param held keeps the layers that are there already, and those that get there
    PatchedLayers(ArchivedImage image, ArchiveContents contents, LayerStore layers, HeldLayers held) {
        this.image = image;
        this.contents = contents;
        this.layers = layers;
        this.held = held;
    }

    /// Makes all layers that the store does not have, and compares them with the target's configuration.
    ///
    /// @throws DistributionException.InvalidContent for what are no deltas of `base`
    /// @throws IOException naming what of the base is damaged
    void make(DeltaBase base) throws IOException {
        Optional<ChainId> below = Optional.empty();
        for (int i = 0; i < image.layers().size(); i++) {
            DiffId diffId = image.config().diffIds().get(i);
            ChainId chain = ChainId.of(below, diffId);
            // From the first missing one on, all are made: what lies above may be there, but only on others.
            if (!made.isEmpty() || !held.hold(chain)) make(i, below, base);
            below = Optional.of(chain);
        }
    }

    private void make(int layer, Optional<ChainId> below, DeltaBase base) throws IOException {
        DiffId expected = image.config().diffIds().get(layer);
        StagedLayer staged = layers.stage();
        made.add(new Made(staged, below));
        DiffId actual;
        try (InputStream tar = tar(layer, ChainId.of(below, expected), base)) {
            actual = staged.extract(tar);
        } catch (InvalidLayerException | InvalidDeltaException | CorruptStreamException e) {
            throw new DistributionException.InvalidContent(REFUSED + e.getMessage(), e);
        } catch (IOException e) {
            throw new IOException(REFUSED + e.getMessage(), e);
        }
        if (actual.equals(expected)) return;
        base.verify();
        throw new DistributionException.InvalidContent(
                "invalid diffID for layer " + layer + ": expected \"" + expected + "\", got \"" + actual + "\"", null);
    }

    private InputStream tar(int layer, ChainId chain, DeltaBase base) throws IOException {
        Optional<LayerTar> common = base.layer(chain);
        return common.isPresent() ? common.get().open() : DeltaLayer.patched(contents.tar(image.layers().get(layer)).open(), base);
    }

    /// Makes them visible, lowest first.
    void commit() throws IOException {
        for (Made each : made) held.takeOver(each.staged.commit(each.below).chainId());
    }

    @Override
    public void close() throws IOException {
        for (Made each : made) each.staged.close();
    }
}
