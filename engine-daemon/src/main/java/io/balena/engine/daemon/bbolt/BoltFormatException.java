package io.balena.engine.daemon.bbolt;

import java.io.IOException;

/// This is no bbolt file, or a damaged one.
public final class BoltFormatException extends IOException {
    private static final long serialVersionUID = 1L;

    BoltFormatException(String message) {
        super(message);
    }
}
