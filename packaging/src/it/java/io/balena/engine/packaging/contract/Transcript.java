package io.balena.engine.packaging.contract;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMessage;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseDecoder;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.io.ByteArrayOutputStream;
import java.util.ArrayDeque;

/// Makes exchanges of the bytes of one connection, until it is no longer HTTP.
final class Transcript {
    private static final HttpDecoderConfig LIMITS = new HttpDecoderConfig().setMaxInitialLineLength(1 << 20).setMaxHeaderSize(1 << 20);
    /// Longer bodies are not JSON of the API's, but images.
    private static final int LONGEST = 8 * 1024 * 1024;

    private final Exchanges.Engine engine;
    private final EmbeddedChannel requests = new EmbeddedChannel(new HttpRequestDecoder(LIMITS));
    private final EmbeddedChannel responses = new EmbeddedChannel(new HttpResponseDecoder(LIMITS) {
        @Override
        protected boolean isContentAlwaysEmpty(HttpMessage message) {
            HttpRequest asked = open.peek();
            return super.isContentAlwaysEmpty(message) || asked != null && asked.method().equals(HttpMethod.HEAD);
        }
    });
    private final ArrayDeque<HttpRequest> open = new ArrayDeque<>();
    private HttpResponse answer;
    private ByteArrayOutputStream body;
    private boolean over;

    Transcript(Exchanges.Engine engine) {
        this.engine = engine;
    }

    void clientSaid(byte[] bytes) {
        if (over) return;
        requests.writeInbound(Unpooled.wrappedBuffer(bytes.clone()));
        for (HttpObject part; (part = requests.readInbound()) != null; ReferenceCountUtil.release(part)) {
            if (part.decoderResult().isFailure()) over = true; // what is no HTTP has no contract
            else if (part instanceof HttpRequest request) open.add(request);
        }
    }

    void engineSaid(byte[] bytes) {
        if (over) return;
        responses.writeInbound(Unpooled.wrappedBuffer(bytes.clone()));
        for (HttpObject part; (part = responses.readInbound()) != null; ReferenceCountUtil.release(part)) {
            if (over) continue;
            if (part.decoderResult().isFailure()) over = true;
            if (part instanceof HttpResponse head) begin(head);
            if (part instanceof HttpContent content && answer != null) take(content);
        }
    }

    private void begin(HttpResponse head) {
        if (head.status().code() == 100 || open.isEmpty()) return;
        answer = head;
        String type = head.headers().get(HttpHeaderNames.CONTENT_TYPE, "");
        body = type.startsWith("application/json") ? new ByteArrayOutputStream() : null;
        boolean endless = !HttpUtil.isContentLengthSet(head) && !HttpUtil.isTransferEncodingChunked(head)
                && type.startsWith("application/vnd.docker.");
        if (head.status().code() != 101 && !endless) return;
        finish();
        over = true;
    }

    private void take(HttpContent content) {
        if (body != null && body.size() < LONGEST) {
            byte[] bytes = new byte[content.content().readableBytes()];
            content.content().getBytes(content.content().readerIndex(), bytes);
            body.writeBytes(bytes);
        }
        if (content instanceof LastHttpContent) finish();
    }

    private void finish() {
        HttpRequest asked = open.remove();
        boolean whole = body != null && body.size() < LONGEST;
        Exchanges.add(new Exchanges.Exchange(engine, asked.method().name(), asked.uri(), answer.status().code(),
                whole ? body.toString(UTF_8) : null));
        answer = null;
        body = null;
    }

    /// Of a stream that is broken off, the documents that came whole are an answer too.
    void ended() {
        if (!over && answer != null) {
            if (body != null) {
                String text = body.toString(UTF_8);
                body.reset();
                body.writeBytes(text.substring(0, text.lastIndexOf('\n') + 1).getBytes(UTF_8));
            }
            finish();
        }
        over = true;
        requests.finishAndReleaseAll();
        responses.finishAndReleaseAll();
    }
}
