package io.balena.engine.daemon.http;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/// The API on its sockets. One event loop serves all connections; each request is answered on a virtual thread.
public final class ApiServer implements AutoCloseable {
    static {
        NettySettings.apply();
    }

    // One arena without caches: all buffers are made on one thread. Chunks of 128 KiB, where the default would take 4 MiB.
    private static final ByteBufAllocator ALLOCATOR = new PooledByteBufAllocator(true, 0, 1, 8192, 4, 0, 0, false);

    private static final Duration LULL = Duration.ofSeconds(2);

    private final HangUpAwareEpoll.Factory epoll = HangUpAwareEpoll.factory(64);
    private final EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, Thread.ofPlatform().name("api").factory(), epoll);
    private final Map<Channel, String> listening = new LinkedHashMap<>();
    private final List<Path> socketFiles = new ArrayList<>();
    private final Lull lull;

    private ApiServer(Runnable whenQuiet) {
        lull = new Lull(loop.next(), LULL, whenQuiet);
        loop.next().execute(lull::stir);
    }

    /// Listens. Requests are answered from now on.
    ///
    /// @param whenQuiet run on a thread of its own each time that nobody has asked for anything for some seconds
    /// @throws IOException when one of `listeners` cannot be bound; none is bound then
    public static ApiServer bind(List<Listener> listeners, List<Route> routes, ApiIdentity identity, Runnable whenQuiet) throws IOException {
        var router = new Router(routes);
        var server = new ApiServer(whenQuiet);
        try {
            for (Listener listener : listeners) server.listen(listener, router, identity);
            return server;
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
    }

    private void listen(Listener listener, Router router, ApiIdentity identity) throws IOException {
        Wire wire = listener.security().isPresent() ? TlsWire.open(listener.security().get()) : Wire.PLAIN;
        HttpConnection.ExchangeStarter starter = (connection, head) -> {
            var exchange = new Exchange(connection, router, identity, head);
            if (exchange.isImmediate()) exchange.run();
            else Thread.ofVirtual().start(exchange);
            lull.stir();
            return exchange;
        };
        var bootstrap = new ServerBootstrap()
                .group(loop)
                .option(ChannelOption.ALLOCATOR, ALLOCATOR)
                .childOption(ChannelOption.ALLOCATOR, ALLOCATOR)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(32 * 1024, 64 * 1024))
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        HttpConnection.install(channel, wire, starter);
                        epoll.listen(channel);
                    }
                });
        switch (listener) {
            case Listener.Unix(Path path, Optional<String> group) -> {
                Files.createDirectories(path.toAbsolutePath().getParent());
                Files.deleteIfExists(path);
                await(bootstrap.channel(EpollServerDomainSocketChannel.class).bind(new DomainSocketAddress(path.toFile())), path.toString());
                socketFiles.add(path);
                share(path, group);
            }
            case Listener.Tcp(String host, int port, var _) -> await(
                    bootstrap.channel(EpollServerSocketChannel.class)
                            .option(ChannelOption.SO_REUSEADDR, true)
                            .childOption(ChannelOption.SO_KEEPALIVE, true)
                            .childOption(ChannelOption.TCP_NODELAY, true)
                            .bind(new InetSocketAddress(host, port)),
                    host + ":" + port);
            case Listener.Inherited(int fd, Optional<Path> path, var _) -> await(
                    bootstrap.channelFactory(() -> path.isPresent() ? new EpollServerDomainSocketChannel(fd, true) : (ServerChannel) new EpollServerSocketChannel(fd))
                            .register(),
                    path.map(Path::toString).orElse("file descriptor " + fd));
        }
    }

    // bind(2) made the file writable for its owner only (the umask takes care of that): first the group, then its right to write.
    private static void share(Path socket, Optional<String> group) throws IOException {
        if (group.isPresent()) {
            var principal = socket.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByGroupName(group.get());
            Files.getFileAttributeView(socket, PosixFileAttributeView.class).setGroup(principal);
        }
        Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-rw----"));
    }

    private void await(io.netty.channel.ChannelFuture bound, String where) throws IOException {
        bound.awaitUninterruptibly();
        if (!bound.isSuccess()) throw new IOException("listen " + where + ": " + bound.cause().getMessage(), bound.cause());
        listening.put(bound.channel(), where);
    }

    /// Where it can be reached: paths of sockets, and addresses with their ports.
    public List<String> addresses() {
        return listening.entrySet().stream()
                .map(each -> each.getKey().localAddress() instanceof InetSocketAddress tcp
                        ? tcp.getAddress().getHostAddress() + ":" + tcp.getPort()
                        : each.getValue())
                .toList();
    }

    /// Accepts no more connections; those there are go on.
    public void stopAccepting() {
        listening.keySet().forEach(channel -> channel.close().awaitUninterruptibly());
        listening.clear();
    }

    /// Ends all connections and removes the socket files this server made.
    @Override
    public void close() throws IOException {
        stopAccepting();
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
        for (Path file : socketFiles) Files.deleteIfExists(file);
    }
}
