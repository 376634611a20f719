package io.balena.engine.runtime.client;

import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/// A shim as it was when the protocol had its first version: one of today's, behind a door where nothing newer passes. It says that it is
/// of version 1, and does not know that a deletion may be forced.
final class OlderShim implements AutoCloseable {
    /// Of what no version knows: it goes before everything that is reported.
    private static final byte[] UNKNOWN_EVENT = Message.of(120).text(110, "?").encode();

    private final ServerSocketChannel door;
    private final Path real;

    OlderShim(Path socket, Path real) throws IOException {
        this.real = real;
        door = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
        Thread.ofVirtual().start(() -> {
            try {
                while (true) serve(door.accept());
            } catch (IOException e) {
                // closed
            }
        });
    }

    private void serve(SocketChannel client) throws IOException {
        SocketChannel shim = SocketChannel.open(UnixDomainSocketAddress.of(real));
        var fromClient = new DataInputStream(Channels.newInputStream(client));
        var fromShim = new DataInputStream(Channels.newInputStream(shim));
        var subscribes = new AtomicBoolean();
        Thread.ofVirtual().start(() -> piping(client, shim, () -> requests(fromClient, Channels.newOutputStream(shim), subscribes)));
        Thread.ofVirtual().start(() -> piping(client, shim, () -> answers(fromShim, Channels.newOutputStream(client), subscribes)));
    }

    private interface Pipe {
        void run() throws IOException;
    }

    private static void piping(SocketChannel client, SocketChannel shim, Pipe pipe) {
        try (client; shim) {
            pipe.run();
        } catch (IOException e) {
            // one of them has left, and so does the other
        }
    }

    private static void requests(DataInputStream from, OutputStream shim, AtomicBoolean subscribes) throws IOException {
        while (true) {
            byte[] content = content(from);
            Message request = Message.parse(content);
            if (request.kind() == Protocol.SUBSCRIBE) subscribes.set(true);
            boolean forced = request.kind() == Protocol.DELETE && request.flag(Protocol.Tag.FORCE);
            if (forced) shim.write(Protocol.withKey(Message.of(Protocol.DELETE), Protocol.key(request)).encode());
            else send(content, shim);
            if (request.kind() == Protocol.ATTACH) from.transferTo(shim);
        }
    }

    private static void answers(DataInputStream from, OutputStream client, AtomicBoolean subscribes) throws IOException {
        Message hello = Message.parse(content(from));
        client.write(Message.of(Protocol.HELLO).text(Protocol.Tag.MAGIC, Protocol.MAGIC).number(Protocol.Tag.VERSION, 1)
                .number(Protocol.Tag.PID, hello.number(Protocol.Tag.PID)).encode());
        send(content(from), client);
        if (subscribes.get()) client.write(UNKNOWN_EVENT);
        from.transferTo(client);
    }

    private static byte[] content(DataInputStream from) throws IOException {
        return from.readNBytes(from.readInt());
    }

    private static void send(byte[] content, OutputStream to) throws IOException {
        to.write(ByteBuffer.allocate(Message.HEADER_BYTES + content.length).putInt(content.length).put(content).array());
    }

    @Override
    public void close() throws IOException {
        door.close();
    }
}
