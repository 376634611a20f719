package io.balena.engine.network;

import java.io.IOException;

/// What a network cannot do, in Docker's words.
public final class NetworkException extends IOException {
    private static final long serialVersionUID = 1L;

    /// What a caller can do about it.
    public enum Kind {
        /// Ask for something else: the request makes no sense.
        INVALID,
        /// Name something else: there is none of that name.
        NOT_FOUND,
        /// Nothing: what is asked for is taken, or not to be had at all.
        FORBIDDEN,
        /// Choose another name.
        CONFLICT,
        /// Look at the machine.
        FAILED
    }

    private final Kind kind;

    private NetworkException(Kind kind, String message, Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }

    static NetworkException invalid(String message) {
        return new NetworkException(Kind.INVALID, message, null);
    }

    static NetworkException notFound(String message) {
        return new NetworkException(Kind.NOT_FOUND, message, null);
    }

    static NetworkException forbidden(String message) {
        return new NetworkException(Kind.FORBIDDEN, message, null);
    }

    static NetworkException conflict(String message) {
        return new NetworkException(Kind.CONFLICT, message, null);
    }

    static NetworkException failed(String message) {
        return new NetworkException(Kind.FAILED, message, null);
    }

    static NetworkException failed(String message, Throwable cause) {
        return new NetworkException(Kind.FAILED, message, cause);
    }
}
