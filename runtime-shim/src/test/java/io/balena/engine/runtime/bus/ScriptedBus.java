package io.balena.engine.runtime.bus;

import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/// A message bus with a service manager on it that says what a test wants: what a real one says only when something is wrong with it.
/// A real one is met in `CgroupVmIT`.
public final class ScriptedBus implements AutoCloseable {
    /// Answers calls of the service manager.
    public interface Manager {
        /// @param member e.g. `StartTransientUnit`
        void called(String member, BusMessage call, Answers answers) throws IOException;
    }

    public final Path socket;
    /// Of the calls, in their order, those of the bus itself included.
    public final List<String> called = Collections.synchronizedList(new ArrayList<>());
    private final ServerSocketChannel server;
    private final Manager manager;

    public ScriptedBus(Path folder, Manager manager) throws IOException {
        this.socket = folder.resolve("bus");
        this.manager = manager;
        this.server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
        Thread.ofVirtual().start(this::serve);
    }

    private void serve() {
        while (true) {
            try (SocketChannel client = server.accept()) {
                serve(client);
            } catch (EOFException _) {
                // The client has said all it wanted to.
            } catch (IOException _) {
                if (!server.isOpen()) return;
            }
        }
    }

    private void serve(SocketChannel client) throws IOException {
        String greeting = line(client);
        called.add(greeting.substring(1).replaceAll(" [0-9a-f]+$", " <user>"));
        client.write(ByteBuffer.wrap("OK 1234deadbeef\r\n".getBytes(StandardCharsets.US_ASCII)));
        line(client);
        while (true) {
            byte[] fixed = read(client, BusMessage.FIXED_BYTES);
            byte[] rest = read(client, BusMessage.rest(fixed));
            byte[] whole = Arrays.copyOf(fixed, fixed.length + rest.length);
            System.arraycopy(rest, 0, whole, fixed.length, rest.length);
            BusMessage call = BusMessage.parse(whole);
            int serial = ByteBuffer.wrap(fixed).order(java.nio.ByteOrder.LITTLE_ENDIAN).getInt(8);
            called.add(call.name());
            var answers = new Answers(client, serial);
            switch (call.name()) {
                case "Hello" -> answers.done("s", body -> body.string(":1.7"));
                case "AddMatch", "Subscribe" -> answers.done("", _ -> {});
                default -> manager.called(call.name(), call, answers);
            }
        }
    }

    /// What the bus sends to one call.
    public record Answers(SocketChannel client, int serial) {
        public void done(String signature, BusWriter.Elements arguments) throws IOException {
            send(BusMessage.RETURN, null, signature, arguments);
        }

        public void refused(String error, String message) throws IOException {
            send(BusMessage.ERROR, error, "s", body -> body.string(message));
        }

        public void jobRemoved(String job, String unit, String result) throws IOException {
            send(BusMessage.SIGNAL, "JobRemoved", "uoss", body -> body.uint32(7).string(job).string(unit).string(result));
        }

        private void send(int type, String name, String signature, BusWriter.Elements arguments) throws IOException {
            var body = new BusWriter();
            arguments.write(body);
            var message = new BusWriter().octet('l').octet(type).octet(1).octet(1).uint32(body.length()).uint32(1);
            message.array(8, fields -> {
                if (type != BusMessage.SIGNAL) fields.align(8).octet(BusMessage.FIELD_REPLY_SERIAL).signature("u").uint32(serial);
                int kind = type == BusMessage.SIGNAL ? BusMessage.FIELD_MEMBER : BusMessage.FIELD_ERROR_NAME;
                if (name != null) fields.align(8).octet(kind).signature("s").string(name);
                if (!signature.isEmpty()) fields.align(8).octet(BusMessage.FIELD_SIGNATURE).signature("g").signature(signature);
            });
            raw(message.align(8).toByteArray());
            raw(body.toByteArray());
        }

        public void raw(byte[] bytes) throws IOException {
            for (var left = ByteBuffer.wrap(bytes); left.hasRemaining(); ) client.write(left);
        }

        public void hangUp() throws IOException {
            client.close();
        }
    }

    private static String line(SocketChannel client) throws IOException {
        var line = new StringBuilder();
        while (line.indexOf("\r\n") < 0) line.append((char) read(client, 1)[0]);
        return line.substring(0, line.length() - 2);
    }

    private static byte[] read(SocketChannel client, int length) throws IOException {
        var bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining()) {
            if (client.read(bytes) < 0) throw new EOFException();
        }
        return bytes.array();
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
