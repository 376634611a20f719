package io.balena.engine.distribution;

import java.io.IOException;

/// Compressed data makes no sense; fetching the same bytes again will not help.
final class CorruptStreamException extends IOException {
    private static final long serialVersionUID = 1L;

    CorruptStreamException(String message) {
        super(message);
    }

    CorruptStreamException(String message, Throwable cause) {
        super(message, cause);
    }
}
