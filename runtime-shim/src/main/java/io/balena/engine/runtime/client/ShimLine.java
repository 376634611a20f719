package io.balena.engine.runtime.client;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/// A blocking connection to the shim, for one caller at a time.
final class ShimLine implements AutoCloseable {
    private final SocketChannel channel;
    private final int shimPid;
    private final int version;

    private ShimLine(SocketChannel channel, int shimPid, int version) {
        this.channel = channel;
        this.shimPid = shimPid;
        this.version = version;
    }

    /// @throws IOException when nobody listens there, or not a shim
    static ShimLine open(Path socket) throws IOException {
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        try {
            write(channel, Protocol.hello().encode());
            Message hello = read(channel);
            if (hello.kind() != Protocol.HELLO || !hello.text(Protocol.Tag.MAGIC).equals(Protocol.MAGIC)) {
                throw new IOException(socket + " is not a shim's");
            }
            return new ShimLine(channel, (int) hello.number(Protocol.Tag.PID), (int) hello.number(Protocol.Tag.VERSION));
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    int shimPid() {
        return shimPid;
    }

    /// The version of the protocol that the shim speaks.
    int version() {
        return version;
    }

    /// Sends a request and waits for its answer.
    ///
    /// @throws ContainerFailure if the shim says so
    Message ask(Message.Builder request) throws IOException {
        send(request);
        return answer();
    }

    /// @throws IOException when the shim is gone; it has not had the whole request then
    void send(Message.Builder request) throws IOException {
        write(channel, request.encode());
    }

    /// @throws ContainerFailure if the shim says so
    Message answer() throws IOException {
        Message answer = read(channel);
        if (answer.kind() == Protocol.FAILED) {
            throw new ContainerFailure(
                    kind(answer.text(Protocol.Tag.FAILURE_KIND)),
                    answer.text(Protocol.Tag.TEXT),
                    answer.flag(Protocol.Tag.OF_OTHER_RUNTIME));
        }
        return answer;
    }

    /// Waits for the next event.
    ///
    /// @throws EOFException when the shim is gone
    Message next() throws IOException {
        return read(channel);
    }

    /// What it becomes after [Protocol#ATTACH].
    SocketChannel channel() {
        return channel;
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // Nothing was buffered, so nothing is lost.
        }
    }

    private static ContainerFailure.Kind kind(String name) {
        for (ContainerFailure.Kind kind : ContainerFailure.Kind.values()) {
            if (kind.name().equals(name)) return kind;
        }
        return ContainerFailure.Kind.SETUP; // of a newer shim
    }

    private static void write(SocketChannel channel, byte[] bytes) throws IOException {
        for (var buffer = ByteBuffer.wrap(bytes); buffer.hasRemaining(); ) channel.write(buffer);
    }

    private static Message read(SocketChannel channel) throws IOException {
        int length = fill(channel, ByteBuffer.allocate(Message.HEADER_BYTES)).getInt(0);
        // A list of all containers may be longer than what a client may say.
        if (length <= 0 || length > 16 * Message.MAX_BYTES) throw new IOException("the shim sent " + length + " bytes");
        return Message.parse(fill(channel, ByteBuffer.allocate(length)).array());
    }

    private static ByteBuffer fill(SocketChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) throw new EOFException("the shim has closed the connection");
        }
        return buffer;
    }
}
