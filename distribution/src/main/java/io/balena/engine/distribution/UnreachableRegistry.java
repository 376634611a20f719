package io.balena.engine.distribution;

import java.io.IOException;

/// A registry could not be reached at all, not once. Whoever asked hears it at once, as from Docker: most often the name is wrong or
/// there is no network, and it is not for us to know when that changes.
final class UnreachableRegistry extends IOException {
    private static final long serialVersionUID = 1L;

    UnreachableRegistry(String message, IOException cause) {
        super(message, cause);
    }
}
