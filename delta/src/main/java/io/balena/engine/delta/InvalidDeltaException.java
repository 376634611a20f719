package io.balena.engine.delta;

import java.io.IOException;

/// A delta that breaks off, is damaged, or is one of something else. The message begins with `applying delta: `.
public final class InvalidDeltaException extends IOException {
    private static final long serialVersionUID = 1L;

    InvalidDeltaException(String message) {
        super("applying delta: " + message);
    }
}
