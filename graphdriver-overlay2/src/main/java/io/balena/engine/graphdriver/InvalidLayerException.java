package io.balena.engine.graphdriver;

import java.io.IOException;

/// A layer's tar is malformed, or asks for something that a layer may not do.
public final class InvalidLayerException extends IOException {
    private static final long serialVersionUID = 1L;

    public InvalidLayerException(String message) {
        super(message);
    }
}
