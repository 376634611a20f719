package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Children;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.stream.Attachment;
import io.balena.engine.runtime.stream.Connection;
import io.balena.engine.runtime.stream.ProcessStreams;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/// One connected client: puts its bytes together to requests, and has them answered one after the other.
final class ShimClient implements Connection.Receiver {
    private final Connection connection;
    private final OwnedContainers containers;
    private final Subscribers subscribers;
    private final ShimServer server;
    private byte[] received = new byte[0];
    private boolean greeted;
    private boolean answering;
    private boolean handling;

    ShimClient(Connection connection, OwnedContainers containers, Subscribers subscribers, ShimServer server) {
        this.connection = connection;
        this.containers = containers;
        this.subscribers = subscribers;
        this.server = server;
    }

    @Override
    public void received(NativeBuffer buffer, int offset, int length) {
        byte[] all = Arrays.copyOf(received, received.length + length);
        buffer.get(offset, all, received.length, length);
        received = all;
        handleNext();
    }

    @Override
    public void closed() {
        received = new byte[0];
        if (subscribers.remove(connection)) server.daemonLeft();
    }

    private void handleNext() {
        if (handling) return; // a request that was answered at once: the loop below goes on
        handling = true;
        try {
            while (!answering && !connection.isClosed() && received.length >= Message.HEADER_BYTES) {
                int length = Message.readInt(received, 0);
                if (length <= 0 || length > Message.MAX_BYTES) throw new IOException("a message of " + length + " bytes");
                int end = Message.HEADER_BYTES + length;
                if (received.length < end) return;
                Message message = Message.parse(Arrays.copyOfRange(received, Message.HEADER_BYTES, end));
                received = received.length == end ? new byte[0] : Arrays.copyOfRange(received, end, received.length);
                if (greeted) handle(message);
                else greet(message);
            }
        } catch (IOException | RuntimeException e) { // a path with a NUL in it, say
            server.protocolError(e);
            connection.close();
        } finally {
            handling = false;
        }
    }

    private void greet(Message message) throws IOException {
        if (message.kind() != Protocol.HELLO || !message.text(Protocol.Tag.MAGIC).equals(Protocol.MAGIC)) {
            throw new IOException("no greeting");
        }
        greeted = true;
        connection.send(Protocol.hello().number(Protocol.Tag.PID, Children.ownPid()).encode());
    }

    private void handle(Message request) throws IOException {
        answering = true;
        connection.wait(false); // the next request waits in the socket
        Reply reply = new Answer();
        String id = request.text(Protocol.Tag.CONTAINER_ID);
        switch (request.kind()) {
            case Protocol.LIST -> containers.list(reply);
            case Protocol.CREATE -> {
                Path bundle = Path.of(request.text(Protocol.Tag.BUNDLE));
                containers.create(id, bundle, Protocol.stdio(request), Protocol.runtime(request), reply);
            }
            case Protocol.START -> containers.start(id, reply);
            case Protocol.PAUSE -> containers.pause(id, reply);
            case Protocol.RESUME -> containers.resume(id, reply);
            case Protocol.UPDATE -> containers.update(id, request.bytes(Protocol.Tag.RESOURCES_JSON), reply);
            case Protocol.DELETE -> containers.delete(Protocol.key(request), request.flag(Protocol.Tag.FORCE), reply);
            case Protocol.EXEC ->
                    containers.exec(execKey(request), request.bytes(Protocol.Tag.PROCESS_JSON), Protocol.stdio(request), reply);
            case Protocol.KILL -> containers.kill(Protocol.key(request), (int) request.number(Protocol.Tag.SIGNAL), reply);
            case Protocol.RESIZE -> {
                int rows = (int) request.number(Protocol.Tag.ROWS);
                containers.resize(Protocol.key(request), rows, (int) request.number(Protocol.Tag.COLUMNS), reply);
            }
            case Protocol.ADOPT -> containers.adopt(id, request, reply);
            case Protocol.ATTACH -> attach(request, reply);
            case Protocol.SUBSCRIBE -> {
                reply.done();
                subscribers.add(connection);
                containers.replay(connection);
            }
            case Protocol.LEAVE_IF_IDLE -> {
                if (containers.isEmpty()) reply.done();
                else reply.failed(ContainerFailure.Kind.SETUP, "the shim has containers");
                server.leaveIfIdle();
            }
            default -> reply.failed(ContainerFailure.Kind.SETUP, "this shim does not know request " + request.kind());
        }
    }

    private void attach(Message request, Reply reply) throws IOException {
        if (received.length > 0) throw new IOException("more requests after attach");
        Optional<ProcessStreams> streams = containers.streams(Protocol.key(request));
        if (streams.isEmpty()) {
            reply.failed(ContainerFailure.Kind.NO_SUCH_PROCESS, "no such process: " + Protocol.key(request));
            return;
        }
        connection.send(Message.of(Protocol.DONE).encode());
        Attachment attachment = new Attachment(
                connection,
                streams.get(),
                request.flag(Protocol.Tag.STDIN),
                request.flag(Protocol.Tag.STDOUT),
                request.flag(Protocol.Tag.STDERR));
        connection.become(attachment);
        if (!connection.isClosed()) streams.get().attach(attachment);
    }

    private static ProcessKey execKey(Message request) throws IOException {
        ProcessKey key = Protocol.key(request);
        if (key.execId().isEmpty()) throw new IOException("an exec without a name");
        return key;
    }

    private final class Answer implements Reply {
        @Override
        public void done(Message.Builder result) {
            answer(result);
        }

        @Override
        public void failed(ContainerFailure failure) {
            answer(Message.of(Protocol.FAILED)
                    .text(Protocol.Tag.FAILURE_KIND, failure.kind().name())
                    .text(Protocol.Tag.TEXT, failure.getMessage())
                    .flag(Protocol.Tag.OF_OTHER_RUNTIME, failure.isOfOtherRuntime()));
        }

        private void answer(Message.Builder message) {
            answering = false;
            if (connection.isClosed()) return;
            connection.send(message.encode());
            connection.wait(true);
            handleNext();
        }
    }
}
