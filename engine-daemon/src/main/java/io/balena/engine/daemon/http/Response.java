package io.balena.engine.daemon.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Map;

/// What a handler answers.
public sealed interface Response {
    record Empty(int status) implements Response {}

    /// `body` is written by Jackson as `application/json`.
    record Json(int status, Object body) implements Response {}

    record Text(int status, String contentType, String body) implements Response {}

    /// A body of unknown length, written as it comes. Writing blocks while the client is slow. The status line is sent with the first
    /// flush, so an exception before that still becomes an error response; one after it ends the connection. The writer's thread is
    /// interrupted when the client leaves.
    record Stream(int status, String contentType, Writer writer) implements Response {}

    /// The connection stops being HTTP: `101 UPGRADED` when the client asked to upgrade, `200` otherwise, then raw bytes both ways until
    /// `connection` returns. Its thread is interrupted when the client has left for good.
    record Hijack(String contentType, Connection connection) implements Response {}

    /// The connection becomes a WebSocket, if the client has asked for one: what it sends in messages, and a binary message for each write.
    /// For the rest, as [Hijack].
    record WebSocketHijack(Connection connection) implements Response {}

    /// Another answer with further headers.
    record WithHeaders(Map<String, String> headers, Response response) implements Response {}

    @FunctionalInterface
    interface Writer {
        void write(OutputStream body) throws IOException;
    }

    @FunctionalInterface
    interface Connection {
        /// @param fromClient ends when the client half-closes
        /// @param toClient each write is sent at once
        void run(InputStream fromClient, OutputStream toClient) throws IOException;
    }

    static Response noContent() {
        return new Empty(204);
    }

    static Response notModified() {
        return new Empty(304);
    }

    static Response json(Object body) {
        return new Json(200, body);
    }

    static Response json(int status, Object body) {
        return new Json(status, body);
    }
}
