package io.balena.engine.runtime.shim;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;

/// The answer to one request, given once.
interface Reply {
    void done(Message.Builder result);

    void failed(ContainerFailure failure);

    default void failed(ContainerFailure.Kind kind, String message) {
        failed(new ContainerFailure(kind, message));
    }

    default void done() {
        done(Message.of(Protocol.DONE));
    }

    default void failed(Throwable cause) {
        if (cause instanceof ContainerFailure failure) {
            failed(failure);
        } else {
            String message = cause.getMessage();
            failed(ContainerFailure.Kind.SETUP, message == null ? cause.toString() : message);
        }
    }
}
