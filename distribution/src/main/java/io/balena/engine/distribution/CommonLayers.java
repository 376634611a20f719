package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.graphdriver.LayerTar;
import io.balena.engine.graphdriver.StagedLayer;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/// The lowest layers of a target, as far as its base has the same: a delta holds nothing of them. When the base lies in another data root
/// they are not in ours yet, and are copied from there.
///
/// Kept until closed; what is not used then stays for the next attempt, as all that a pull has finished.
final class CommonLayers implements AutoCloseable {
    private final LayerStore layers;
    private final DeltaBase base;
    private final Deque<ChainId> kept = new ArrayDeque<>();

    CommonLayers(LayerStore layers, DeltaBase base) {
        this.layers = layers;
        this.base = base;
    }

    /// @param target its layers
    void bringIn(List<DiffId> target) throws IOException {
        Optional<ChainId> below = Optional.empty();
        for (DiffId diffId : target) {
            ChainId chain = ChainId.of(below, diffId);
            if (layers.retain(chain)) {
                kept.push(chain);
            } else {
                Optional<LayerTar> source = base.layer(chain);
                if (source.isEmpty()) return;
                copy(source.get(), diffId, below);
            }
            below = Optional.of(chain);
        }
    }

    private void copy(LayerTar source, DiffId diffId, Optional<ChainId> below) throws IOException {
        try (StagedLayer staged = layers.stage(); InputStream tar = source.open()) {
            DiffId copied = staged.extract(tar);
            if (!copied.equals(diffId)) {
                throw new IOException("delta base image \"" + base.id() + "\": layer is damaged: " + diffId + " gives " + copied);
            }
            kept.push(Undisturbed.run(() -> staged.commit(below)).chainId());
        }
    }

    @Override
    public void close() {
        while (!kept.isEmpty()) layers.endUse(kept.pop());
    }
}
