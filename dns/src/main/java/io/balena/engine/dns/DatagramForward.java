package io.balena.engine.dns;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.util.List;

/// By a datagram, from a port that is chosen anew for each question.
final class DatagramForward extends Forward {
    private final Outlet outlet;
    private final SocketLoop loop;
    private DatagramChannel socket;

    DatagramForward(DnsQuery query, List<ContainerNames.Server> servers, Outlet outlet, SocketLoop loop, Asker asker) {
        super(query, servers, loop, asker);
        this.outlet = outlet;
        this.loop = loop;
    }

    @Override
    void ask(ContainerNames.Server server, byte[] question) throws IOException {
        socket = outlet.open(server, () -> DatagramChannel.open(Outlet.family(server.address())));
        socket.configureBlocking(false);
        socket.connect(new InetSocketAddress(server.address(), PORT));
        socket.write(ByteBuffer.wrap(question));
        loop.watch(socket, SelectionKey.OP_READ, this::receive);
    }

    private void receive() {
        DatagramChannel from = socket;
        if (from == null) return;
        ByteBuffer buffer = loop.buffer();
        try {
            if (from.read(buffer) <= 0) return;
        } catch (IOException e) {
            tryNext(); // nobody listens there
            return;
        }
        byte[] answer = new byte[buffer.flip().remaining()];
        buffer.get(answer);
        heard(answer);
    }

    @Override
    void giveUp() {
        if (socket != null) Outlet.close(socket);
        socket = null;
    }
}
