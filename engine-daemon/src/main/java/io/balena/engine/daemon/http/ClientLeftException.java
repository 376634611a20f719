package io.balena.engine.daemon.http;

import java.io.IOException;

/// The client went away, or ended its request early: nobody's fault on this side.
final class ClientLeftException extends IOException {
    private static final long serialVersionUID = 1L;

    ClientLeftException(String message) {
        super(message);
    }
}
