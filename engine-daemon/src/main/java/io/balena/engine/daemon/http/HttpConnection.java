package io.balena.engine.daemon.http;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/// One connection of a client: one exchange after the other, or, once an exchange has taken it over, raw bytes.
///
/// Its state belongs to the event loop. The methods called by an exchange's thread say so.
final class HttpConnection extends ChannelInboundHandlerAdapter {
    /// Time from the first byte of a request to the end of its headers, in seconds; and for the rest of a body nobody wanted. Who reads a
    /// body says how long that may take; streams may take as long as they like.
    static final int HEAD_SECONDS = 60;
    /// Bytes of a body nobody wanted that are read past, so that the connection can be used again.
    private static final int MAX_DRAINED = 256 * 1024;
    /// How long a client that is still sending has to read the last answer: closing at once would reset it away.
    private static final int LINGER_MILLIS = 500;

    private final RequestDecoder decoder;
    private final Wire wire;
    private final ExchangeStarter starter;
    private final Object writable = new Object();
    private ChannelHandlerContext context;
    private Future<?> timeout;
    private Exchange exchange;
    private RequestBody raw;
    private boolean draining;
    private boolean closing;
    private boolean inputShut;
    private boolean hungUp;

    /// Begins to answer a request, elsewhere.
    @FunctionalInterface
    interface ExchangeStarter {
        Exchange start(HttpConnection connection, HttpRequest head);
    }

    private HttpConnection(RequestDecoder decoder, Wire wire, ExchangeStarter starter) {
        this.decoder = decoder;
        this.wire = wire;
        this.starter = starter;
    }

    static void install(Channel channel, Wire wire, ExchangeStarter starter) {
        var decoder = new RequestDecoder();
        wire.install(channel.pipeline());
        channel.pipeline().addLast(decoder, new HttpResponseEncoder(), new HttpConnection(decoder, wire, starter));
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
        giveTime();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        if (closing) {
            ReferenceCountUtil.release(message);
            return;
        }
        if (message instanceof HttpRequest head) begin(head);
        if (closing) return;
        switch (message) {
            case HttpContent content -> take(content);
            case ByteBuf bytes when raw != null -> raw.offer(bytes);
            case HttpRequest _ -> {}
            default -> ReferenceCountUtil.release(message);
        }
    }

    private void begin(HttpRequest head) {
        cancelTimeout();
        Optional<HeadRules.Refusal> refusal = HeadRules.refusal(head);
        if (refusal.isPresent()) refuse(refusal.get());
        else exchange = starter.start(this, head);
    }

    private void take(HttpContent content) {
        boolean last = content instanceof LastHttpContent;
        RequestBody body = exchange.body();
        if (content.decoderResult().isFailure()) {
            content.release();
            body.fail(new IOException("malformed chunked encoding"));
            if (draining) lingerClose();
            return;
        }
        body.offer(content.content());
        if (last) body.end();
        if (!draining) return;
        if (last) next();
        else if (body.discarded() > MAX_DRAINED) lingerClose();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        if (exchange == null && raw == null && !closing && timeout == null) giveTime();
    }

    private void giveTime() {
        timeout = context.executor().schedule(() -> { context.close(); }, HEAD_SECONDS, TimeUnit.SECONDS);
    }

    private void cancelTimeout() {
        if (timeout == null) return;
        timeout.cancel(false);
        timeout = null;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event == HangUpAwareEpoll.HANG_UP) hungUp = true;
        else if (event instanceof ChannelInputShutdownEvent) inputShut = true;
        else return;
        // What was sent before the client left is read first.
        if (hungUp && inputShut) ctx.close();
        else if (!inputShut) return;
        else if (raw != null) raw.end();
        else if (exchange == null || closing || draining) ctx.close();
        else exchange.clientHasNothingToAdd();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        cancelTimeout();
        inputShut = true;
        if (raw != null) raw.fail(clientHasLeft());
        // Also where it was taken over: whoever waits for something to send would wait for ever.
        if (exchange != null) exchange.clientHasLeft();
        synchronized (writable) {
            writable.notifyAll();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        synchronized (writable) {
            writable.notifyAll();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        // Reset by the client, or bytes that are not HTTP: nothing that could still be answered.
        ctx.close();
    }

    /// Sends a whole answer. Called by the exchange's thread, as its last act.
    void answer(FullHttpResponse response, boolean close) {
        onLoop(() -> {
            context.writeAndFlush(response, context.voidPromise());
            finished(close);
        });
    }

    /// Sends a part of an answer, once the client has read enough of what was sent before. Called by the exchange's thread.
    ///
    /// @throws IOException when the client has left
    void send(Object part) throws IOException {
        try {
            synchronized (writable) {
                while (!context.channel().isWritable() && context.channel().isActive()) writable.wait();
            }
        } catch (InterruptedException e) {
            ReferenceCountUtil.release(part);
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while sending to the client");
        }
        if (!context.channel().isActive()) {
            ReferenceCountUtil.release(part);
            throw clientHasLeft();
        }
        context.writeAndFlush(part, context.voidPromise());
    }

    /// Goes on reading from the client, or stops for now. Called on any thread.
    void read(boolean wanted) {
        context.channel().config().setAutoRead(wanted);
    }

    static IOException clientHasLeft() {
        return new ClientLeftException("the client has left");
    }

    /// Ends the exchange after what was sent. Called by the exchange's thread, as its last act.
    void finish(boolean close) {
        onLoop(() -> finished(close));
    }

    /// Ends the connection in the middle of an answer, so that the client notices; what was sent before still reaches it. Called by the
    /// exchange's thread, as its last act.
    void abort() {
        finish(true);
    }

    private void onLoop(Runnable task) {
        try {
            context.executor().execute(task);
        } catch (RejectedExecutionException e) {
            // The server was closed, and all connections with it.
        }
    }

    /// Makes the connection a pair of byte streams. Called by the exchange's thread.
    ///
    /// @param head the last words in HTTP
    /// @return what the client sends from now on
    RequestBody takeOver(String head) throws IOException {
        try {
            return context.executor().submit(() -> {
                context.pipeline().remove(HttpResponseEncoder.class);
                context.writeAndFlush(Unpooled.wrappedBuffer(head.getBytes(US_ASCII)), context.voidPromise());
                // A client that sends stdin as the chunked body of its request goes on doing so.
                if (!exchange.body().isComplete()) return exchange.body();
                raw = new RequestBody(this::read);
                context.pipeline().remove(decoder);
                if (inputShut) raw.end();
                read(true);
                return raw;
            }).get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException();
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        }
    }

    private void finished(boolean close) {
        exchange.body().discard();
        if (raw != null) raw.discard();
        if (close || !context.channel().isActive()) lingerClose();
        else if (exchange.body().isComplete()) next();
        else {
            draining = true;
            giveTime();
            read(true);
            if (inputShut) context.close();
        }
    }

    private void next() {
        exchange = null;
        draining = false;
        cancelTimeout();
        try {
            decoder.next();
            if (!decoder.isFull()) read(true);
        } catch (Exception e) {
            context.close();
        }
        if (exchange == null && inputShut) context.close();
    }

    // Go's server, which our clients know, says such things in plain text and hangs up.
    private void refuse(HeadRules.Refusal refusal) {
        String head = "HTTP/1.1 " + refusal.status() + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + refusal.text();
        context.pipeline().remove(HttpResponseEncoder.class);
        context.write(Unpooled.wrappedBuffer(head.getBytes(US_ASCII)), context.voidPromise());
        lingerClose();
    }

    private void lingerClose() {
        if (closing) return;
        closing = true;
        read(true);
        context.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(_ -> {
            if (inputShut) {
                context.close();
                return;
            }
            wire.endOutput(context.channel());
            context.executor().schedule(() -> { context.close(); }, LINGER_MILLIS, TimeUnit.MILLISECONDS);
        });
    }
}
