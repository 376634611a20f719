package io.balena.engine.graphdriver;

import java.io.IOException;

/// A layer was asked for that the store does not have.
public final class NoSuchLayerException extends IOException {
    private static final long serialVersionUID = 1L;

    public NoSuchLayerException(ChainId chain) {
        super("layer does not exist: " + chain);
    }
}
