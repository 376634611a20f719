package io.balena.engine.daemon.http;

import static io.netty.handler.codec.http.HttpHeaderNames.CONNECTION;
import static io.netty.handler.codec.http.HttpHeaderNames.CONTENT_LENGTH;
import static io.netty.handler.codec.http.HttpHeaderNames.CONTENT_TYPE;
import static io.netty.handler.codec.http.HttpHeaderNames.DATE;
import static io.netty.handler.codec.http.HttpHeaderNames.TRANSFER_ENCODING;
import static io.netty.handler.codec.http.HttpHeaderValues.CHUNKED;
import static io.netty.handler.codec.http.HttpHeaderValues.CLOSE;
import static io.netty.handler.codec.http.HttpHeaderValues.CONTINUE;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.DateFormatter;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/// One request and its answer, on a thread of its own.
///
/// A handler is never interrupted: what it began it finishes, so that a client that leaves cannot leave something half done.
/// What streams to the client is.
final class Exchange implements Runnable {
    private static final Logger LOG = System.getLogger(Exchange.class.getName());
    private static final String JSON = "application/json";

    /// Told apart by these in the log, where the lines of several requests mix.
    private static final AtomicLong IDS = new AtomicLong();

    private final long id = IDS.incrementAndGet();
    private final HttpConnection connection;
    private final ApiIdentity identity;
    private final HttpRequest head;
    private final RequestBody body;
    /// `null` when the client's is none.
    private final RequestTarget target;
    private final Optional<Router.Match> found;
    private final boolean old;

    private Thread streaming;
    private boolean mayBeAlone;
    private boolean alone;
    private volatile boolean begun;

    Exchange(HttpConnection connection, Router router, ApiIdentity identity, HttpRequest head) {
        this.connection = connection;
        this.identity = identity;
        this.head = head;
        this.target = target(head.uri());
        this.found = target == null ? Optional.empty() : router.find(head.method().name(), target.segments());
        this.old = head.protocolVersion().equals(HttpVersion.HTTP_1_0);
        this.body = new RequestBody(connection::read, this::sendContinue);
    }

    private static RequestTarget target(String uri) {
        try {
            return RequestTarget.parse(uri);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    RequestBody body() {
        return body;
    }

    /// The client has closed its sending side: a body that is not complete never will be. Over TCP that is also how a client that has
    /// left looks, so nobody may be listening to a stream.
    synchronized void clientHasNothingToAdd() {
        body.fail(new ClientLeftException("unexpected EOF"));
        mayBeAlone = true;
        if (streaming != null) streaming.interrupt();
    }

    synchronized void clientHasLeft() {
        body.fail(HttpConnection.clientHasLeft());
        alone = true;
        if (streaming != null) streaming.interrupt();
    }

    private synchronized void beginStream() throws IOException {
        if (alone || mayBeAlone) throw HttpConnection.clientHasLeft();
        streaming = Thread.currentThread();
    }

    // Whoever has taken the connection over may well go on sending to a client that has nothing to add.
    private synchronized void beginHijack() throws IOException {
        if (alone) throw HttpConnection.clientHasLeft();
        streaming = Thread.currentThread();
    }

    private synchronized void endStream() {
        streaming = null;
    }

    @Override
    public void run() {
        LOG.log(Level.DEBUG, () -> "Calling " + head.method() + " " + head.uri() + " (request " + id + ")");
        try {
            answer(respond(), Map.of());
        } catch (Throwable failure) {
            if (!begun) fail(failure);
            else {
                LOG.log(Level.DEBUG, () -> "Stream of " + head.method() + " " + head.uri() + " ended early: " + failure + " (request " + id + ")");
                connection.abort();
            }
        }
    }

    /// It may run on the event loop.
    boolean isImmediate() {
        return found.isPresent() && found.get().route().handler() instanceof Route.Immediate;
    }

    private Response respond() throws Exception {
        if (target == null) return new Response.Text(400, "text/plain; charset=utf-8", "400 Bad Request");
        if (found.isEmpty()) return ErrorResponses.of(404, "page not found");
        if (expects() && !HttpUtil.is100ContinueExpected(head)) return new Response.Empty(417);

        Map<String, List<String>> parameters;
        try {
            parameters = target.parameters();
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest(e.getMessage());
        }
        Router.Match match = found.get();
        ApiVersion version = version(target.version());
        return match.route().handler().handle(new IncomingRequest(version, match.names(), parameters, head.headers(), body));
    }

    private static ApiVersion version(Optional<String> asked) {
        if (asked.isEmpty()) return ApiVersion.NEWEST;
        ApiVersion version;
        try {
            version = ApiVersion.parse(asked.get());
        } catch (IllegalArgumentException e) {
            throw new InvalidRequest("invalid API version: " + asked.get());
        }
        if (version.compareTo(ApiVersion.NEWEST) > 0) {
            throw new InvalidRequest("client version " + asked.get() + " is too new. Maximum supported API version is " + ApiVersion.NEWEST);
        }
        if (version.compareTo(ApiVersion.OLDEST_ANSWERED) < 0) {
            throw new InvalidRequest("client version " + asked.get() + " is too old. Minimum supported API version is " + ApiVersion.OLDEST
                    + ", please upgrade your client to a newer version");
        }
        return version;
    }

    private void fail(Throwable failure) {
        int status = ErrorResponses.status(failure);
        if (status >= 500) {
            LOG.log(Level.ERROR, "Handler for " + head.method() + " " + path() + " returned error: " + ErrorResponses.message(failure),
                    ErrorResponses.isUnexpected(failure) ? failure : null);
        }
        try {
            answer(ErrorResponses.of(failure), Map.of());
        } catch (Throwable second) {
            LOG.log(Level.ERROR, "Could not answer " + head.method() + " " + path(), second);
            connection.abort();
        }
    }

    private String path() {
        int question = head.uri().indexOf('?');
        return question < 0 ? head.uri() : head.uri().substring(0, question);
    }

    private void answer(Response response, Map<String, String> headers) throws IOException {
        switch (response) {
            case Response.WithHeaders(var more, var inner) -> answer(inner, more);
            case Response.Empty(int status) -> whole(status, "", new byte[0], headers);
            case Response.Json(int status, Object value) -> whole(status, JSON, Json.line(value), headers);
            case Response.Text(int status, String type, String text) -> whole(status, type, text.getBytes(UTF_8), headers);
            case Response.Stream stream -> stream(stream, headers);
            case Response.Hijack hijack -> hijack(hijack);
            case Response.WebSocketHijack hijack -> hijack(hijack);
        }
    }

    private void whole(int status, String contentType, byte[] content, Map<String, String> headers) {
        begun = true;
        LOG.log(Level.DEBUG, () -> "Answered " + status + " (request " + id + ")");
        boolean bodiless = head.method().equals(HttpMethod.HEAD);
        var response = new DefaultFullHttpResponse(version(), HttpResponseStatus.valueOf(status),
                bodiless ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(content));
        if (status != 204 && status != 304) response.headers().set(CONTENT_LENGTH, content.length);
        boolean close = mustClose();
        describe(response, contentType, headers, close);
        connection.answer(response, close);
    }

    private void stream(Response.Stream stream, Map<String, String> headers) throws IOException {
        boolean close = mustClose() || old;
        var out = new ResponseBody(piece -> {
            if (!begun) {
                begun = true;
                var response = new DefaultHttpResponse(version(), HttpResponseStatus.valueOf(stream.status()));
                if (!old) response.headers().set(TRANSFER_ENCODING, CHUNKED);
                describe(response, stream.contentType(), headers, close);
                connection.send(response);
            }
            if (piece != null) connection.send(new DefaultHttpContent(Unpooled.wrappedBuffer(piece)));
        }, false);
        beginStream();
        try {
            stream.writer().write(out);
            out.flush();
        } finally {
            endStream();
        }
        connection.send(LastHttpContent.EMPTY_LAST_CONTENT);
        connection.finish(close);
    }

    private void hijack(Response.Hijack hijack) throws IOException {
        boolean upgrade = head.headers().contains(HttpHeaderNames.UPGRADE);
        // Clients that do not upgrade are those that know no other type.
        String words = upgrade
                ? "HTTP/1.1 101 UPGRADED\r\nContent-Type: " + hijack.contentType() + "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
                : "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
        takeOver(words, hijack.connection());
    }

    private void hijack(Response.WebSocketHijack hijack) throws IOException {
        String words = WebSocket.accept(head.headers()).orElseThrow(() -> new InvalidRequest("not websocket protocol"));
        takeOver(words, (fromClient, toClient) -> {
            var socket = new WebSocket(fromClient, toClient);
            hijack.connection().run(socket.input(), socket.output());
            socket.close();
        });
    }

    private void takeOver(String words, Response.Connection taker) throws IOException {
        begun = true;
        RequestBody fromClient = connection.takeOver(words);
        beginHijack();
        var toClient = new ResponseBody(piece -> {
            if (piece != null) connection.send(Unpooled.wrappedBuffer(piece));
        }, true);
        try {
            taker.run(fromClient, toClient);
        } finally {
            endStream();
        }
        connection.finish(true);
    }

    private void describe(HttpResponse response, String contentType, Map<String, String> more, boolean close) {
        HttpHeaders headers = response.headers();
        identity.describe(headers);
        headers.set(DATE, DateFormatter.format(new Date()));
        if (!contentType.isEmpty()) headers.set(CONTENT_TYPE, contentType);
        more.forEach(headers::set);
        if (close) headers.set(CONNECTION, CLOSE);
        else if (old) headers.set(CONNECTION, "keep-alive");
    }

    private HttpVersion version() {
        return old ? HttpVersion.HTTP_1_0 : HttpVersion.HTTP_1_1;
    }

    // A client told to wait before it sends its body may or may not send it after a final answer; only a new connection is unambiguous.
    private boolean mustClose() {
        return target == null || body.isBroken() || !HttpUtil.isKeepAlive(head) || expects() && !body.isTouched() && !body.isComplete();
    }

    private boolean expects() {
        return !old && head.headers().contains(HttpHeaderNames.EXPECT);
    }

    private void sendContinue() {
        if (begun || old || !head.headers().containsValue(HttpHeaderNames.EXPECT, CONTINUE, true)) return;
        try {
            connection.send(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE, Unpooled.EMPTY_BUFFER));
        } catch (IOException e) {
            // The body fails for the same reason, where the handler sees it.
        }
    }
}
