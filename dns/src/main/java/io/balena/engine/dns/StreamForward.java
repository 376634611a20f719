package io.balena.engine.dns;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.List;

/// Through a connection, as the question came: the answer may be large.
final class StreamForward extends Forward {
    private final Outlet outlet;
    private final SocketLoop loop;
    private SocketChannel socket;
    private SelectionKey key;
    private ByteBuffer sending;
    private MessageAssembly receiving;

    StreamForward(DnsQuery query, List<ContainerNames.Server> servers, Outlet outlet, SocketLoop loop, Asker asker) {
        super(query, servers, loop, asker);
        this.outlet = outlet;
        this.loop = loop;
    }

    @Override
    void ask(ContainerNames.Server server, byte[] question) throws IOException {
        socket = outlet.open(server, () -> SocketChannel.open(Outlet.family(server.address())));
        socket.configureBlocking(false);
        sending = MessageAssembly.framed(question);
        receiving = new MessageAssembly(MessageAssembly.MOST_BYTES);
        boolean connected = socket.connect(new InetSocketAddress(server.address(), PORT));
        key = loop.watch(socket, connected ? SelectionKey.OP_WRITE : SelectionKey.OP_CONNECT, this::goOn);
    }

    private void goOn() {
        if (socket == null) return;
        try {
            if (socket.isConnectionPending()) socket.finishConnect();
            if (sending.hasRemaining()) {
                socket.write(sending);
                key.interestOps(sending.hasRemaining() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
                return;
            }
            byte[] answer = receiving.read(socket, loop.buffer());
            if (answer != null) heard(answer);
            else if (receiving.hasEnded()) tryNext();
        } catch (IOException e) {
            tryNext();
        }
    }

    @Override
    void giveUp() {
        if (socket != null) Outlet.close(socket);
        socket = null;
        receiving = null;
    }
}
