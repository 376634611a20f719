package io.balena.engine.graphdriver;

import java.io.IOException;
import java.util.Optional;

/// Where layers' tars are to be had: a store of our own, or the data root of another engine.
public interface LayerTars {
    /// @return empty when there is no such layer
    Optional<LayerTar> tar(ChainId chain) throws IOException;
}
