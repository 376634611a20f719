package io.balena.engine.daemon.http;

import io.netty.channel.Channel;
import io.netty.channel.DefaultSelectStrategyFactory;
import io.netty.channel.IoEvent;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoOps;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoEvent;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.concurrent.ThreadAwareExecutor;
import java.util.IdentityHashMap;
import java.util.Map;

/// Netty's epoll(7) loop with two additions for connections whose client has closed its sending side.
///
/// - Netty 4.2.18 takes a descriptor without wanted events out of epoll, but then changes it instead of adding it again (`ENOENT`):
///   a half-closed connection could never wait for room to write. So we leave it in, for nothing, edge-triggered.
/// - `EPOLLHUP` is told to the pipeline as [#HANG_UP]. Reading its end does not say whether a client has only finished sending or
///   has gone; that does: unix(7) sets it when the peer has closed, tcp(7) when both directions have ended.
final class HangUpAwareEpoll implements IoHandler {
    /// User event: nobody is at the other end any more.
    static final Object HANG_UP = new Object() {
        @Override
        public String toString() {
            return "HANG_UP";
        }
    };

    private static final EpollIoOps HANG_UP_BIT = EpollIoOps.valueOf(0x10);
    private static final EpollIoOps NOTHING = EpollIoOps.EPOLLET;

    private final IoHandler epoll;
    // Used on the loop's thread only.
    private final Map<FileDescriptor, Channel> listening = new IdentityHashMap<>();

    private HangUpAwareEpoll(IoHandler epoll) {
        this.epoll = epoll;
    }

    /// @param maxEvents taken from the kernel at once
    static Factory factory(int maxEvents) {
        return new Factory(EpollIoHandler.newFactory(maxEvents, DefaultSelectStrategyFactory.INSTANCE));
    }

    static final class Factory implements IoHandlerFactory {
        private final IoHandlerFactory epolls;
        private HangUpAwareEpoll made;

        private Factory(IoHandlerFactory epolls) {
            this.epolls = epolls;
        }

        @Override
        public IoHandler newHandler(ThreadAwareExecutor executor) {
            made = new HangUpAwareEpoll(epolls.newHandler(executor));
            return made;
        }

        /// Tells `channel` when its client hangs up. Call it on the loop.
        void listen(Channel channel) {
            FileDescriptor fd = ((UnixChannel) channel).fd();
            made.listening.put(fd, channel);
            channel.closeFuture().addListener(_ -> made.listening.remove(fd));
        }
    }

    @Override
    public IoRegistration register(IoHandle handle) throws Exception {
        return new Registration(epoll.register(new Handle((EpollIoHandle) handle)));
    }

    @Override
    public void initialize() {
        epoll.initialize();
    }

    @Override
    public int run(IoHandlerContext context) {
        return epoll.run(context);
    }

    @Override
    public void prepareToDestroy() {
        epoll.prepareToDestroy();
    }

    @Override
    public void destroy() {
        epoll.destroy();
    }

    @Override
    public void wakeup() {
        epoll.wakeup();
    }

    @Override
    public boolean isCompatible(Class<? extends IoHandle> type) {
        return epoll.isCompatible(type);
    }

    private final class Handle implements EpollIoHandle {
        private final EpollIoHandle handle;

        Handle(EpollIoHandle handle) {
            this.handle = handle;
        }

        @Override
        public FileDescriptor fd() {
            return handle.fd();
        }

        @Override
        public void handle(IoRegistration registration, IoEvent event) {
            handle.handle(registration, event);
            if (!((EpollIoEvent) event).ops().contains(HANG_UP_BIT)) return;
            Channel channel = listening.get(handle.fd());
            if (channel != null) channel.pipeline().fireUserEventTriggered(HANG_UP);
        }

        @Override
        public void registered() {
            handle.registered();
        }

        @Override
        public void unregistered() {
            handle.unregistered();
        }

        @Override
        public void close() throws Exception {
            handle.close();
        }
    }

    private record Registration(IoRegistration inner) implements IoRegistration {
        @Override
        public <T> T attachment() {
            return inner.attachment();
        }

        @Override
        public long submit(IoOps ops) {
            return inner.submit(ops.equals(EpollIoOps.NONE) ? NOTHING : ops);
        }

        @Override
        public boolean isValid() {
            return inner.isValid();
        }

        @Override
        public boolean cancel() {
            return inner.cancel();
        }
    }
}
