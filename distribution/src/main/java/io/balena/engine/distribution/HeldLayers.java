package io.balena.engine.distribution;

import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Deque;

/// Layers that one operation keeps from being removed until it has ended.
final class HeldLayers implements AutoCloseable {
    private static final Logger LOG = System.getLogger(HeldLayers.class.getName());

    private final LayerStore layers;
    private final Deque<ChainId> held = new ArrayDeque<>();

    HeldLayers(LayerStore layers) {
        this.layers = layers;
    }

    /// @return false when there is no such layer
    boolean hold(ChainId chain) {
        boolean there = layers.retain(chain);
        if (there) held.push(chain);
        return there;
    }

    /// Holds a layer that was retained for the caller.
    void takeOver(ChainId retained) {
        held.push(retained);
    }

    /// For the end of an operation whose outcome is what counts.
    void closeQuietly() {
        try {
            close();
        } catch (IOException e) {
            LOG.log(Level.WARNING, "could not remove a layer that is not used any more: " + e);
        }
    }

    @Override
    public void close() throws IOException {
        while (!held.isEmpty()) layers.release(held.pop());
    }
}
