package io.balena.engine.daemon.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.LastHttpContent;
import java.util.List;

/// Decodes one request and then holds what follows as it came, until that request was answered.
///
/// So pipelined requests cost the bytes of one read and no more, answers keep their order, and what follows a request that
/// takes the connection over (attach, exec) reaches it undecoded.
final class RequestDecoder extends HttpRequestDecoder {
    /// Longest request line in bytes, as of dockerd. Clients that filter by many ids need more than one would think.
    private static final int MAX_REQUEST_LINE = 1024 * 1024;
    /// All headers of a request in bytes, as of dockerd; `X-Registry-Config` carries the credentials of every registry.
    private static final int MAX_HEADERS = 1024 * 1024;
    private static final int MAX_CHUNK = 64 * 1024;

    private ChannelHandlerContext context;
    private boolean holding;

    RequestDecoder() {
        super(new HttpDecoderConfig()
                .setMaxInitialLineLength(MAX_REQUEST_LINE)
                .setMaxHeaderSize(MAX_HEADERS)
                .setMaxChunkSize(MAX_CHUNK)
                .setStrictLineParsing(false) // who ends lines by LF alone is understood, as by Go
                .setAllowDuplicateContentLengths(true) // when they agree
                .setInitialBufferSize(128));
    }

    /// Decodes the next request from what is held and what arrives from now on, once reading goes on.
    void next() throws Exception {
        holding = false;
        super.channelRead(context, Unpooled.EMPTY_BUFFER);
    }

    /// Bytes after a whole request wait for [#next()]; there is no need to read more.
    boolean isFull() {
        return holding && actualReadableBytes() > 0;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf buffer, List<Object> out) throws Exception {
        if (holding) return;
        super.decode(ctx, buffer, out);
        holding = !out.isEmpty() && out.getLast() instanceof LastHttpContent;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) throws Exception {
        super.channelRead(ctx, message);
        if (isFull()) ctx.channel().config().setAutoRead(false);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) throws Exception {
        // The inherited method would throw away what is held: complete requests of a client that has nothing more to say.
        if (event instanceof ChannelInputShutdownEvent) ctx.fireUserEventTriggered(event);
        else super.userEventTriggered(ctx, event);
    }
}
