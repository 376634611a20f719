package io.balena.engine.graphdriver;

import java.io.IOException;

/// An owner for whom there is no other on the other side.
public final class UnmappedIdException extends IOException {
    private static final long serialVersionUID = 1L;

    UnmappedIdException(String message) {
        super(message);
    }
}
