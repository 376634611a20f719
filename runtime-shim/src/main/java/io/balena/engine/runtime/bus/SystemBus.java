package io.balena.engine.runtime.bus;

import io.balena.engine.linux.Children;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;

/// A connection to the system's message bus, as long as one conversation takes. For one thread.
///
/// @see <a href="https://dbus.freedesktop.org/doc/dbus-specification.html">D-Bus specification</a>
public final class SystemBus implements AutoCloseable {
    private static final String SOCKET = "/run/dbus/system_bus_socket";
    private static final String BUS = "org.freedesktop.DBus";
    private static final int MOST_HANDSHAKE_BYTES = 1024;

    private final SocketChannel channel;
    private final Selector selector;
    private final long deadline;
    private final Queue<BusMessage> signals = new ArrayDeque<>();
    private long serial;

    private SystemBus(SocketChannel channel, Selector selector, long deadline) {
        this.channel = channel;
        this.selector = selector;
        this.deadline = deadline;
    }

    /// The other side refused a call.
    public static final class Refused extends IOException {
        private static final long serialVersionUID = 1L;
        private final String name;

        Refused(String name, String message) {
            super(message);
            this.name = name;
        }

        /// E.g. `org.freedesktop.systemd1.UnitExists`.
        public String name() {
            return name;
        }
    }

    /// Connects, says who we are, and gets a name.
    ///
    /// @param patience for the whole conversation; then calls fail
    public static SystemBus connect(Path socket, Duration patience) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        Selector selector = null;
        try {
            channel.connect(UnixDomainSocketAddress.of(socket));
            channel.configureBlocking(false);
            selector = Selector.open();
            channel.register(selector, SelectionKey.OP_READ);
            var bus = new SystemBus(channel, selector, System.nanoTime() + patience.toNanos());
            bus.authenticate();
            bus.call(BUS, "/org/freedesktop/DBus", BUS, "Hello", "", _ -> {});
            return bus;
        } catch (IOException | RuntimeException e) {
            if (selector != null) selector.close();
            channel.close();
            throw new IOException("cannot talk to the system bus at " + socket + ": " + e.getMessage(), e);
        }
    }

    /// Where this machine's bus listens.
    public static Path socket() {
        return address(System.getenv("DBUS_SYSTEM_BUS_ADDRESS"));
    }

    /// `unix:path=/run/dbus/system_bus_socket,guid=…;…`; the first path is taken.
    public static Path address(String variable) {
        if (variable != null) {
            int at = variable.indexOf("unix:path=");
            if (at >= 0) return Path.of(variable.substring(at + "unix:path=".length()).split("[,;]")[0]);
        }
        return Path.of(SOCKET);
    }

    /// SASL with the mechanism EXTERNAL: the kernel tells the bus our user, we only name it.
    private void authenticate() throws IOException {
        var user = new StringBuilder();
        for (char digit : Integer.toString(Children.ownUser()).toCharArray()) user.append(Integer.toHexString(digit));
        send(("\0AUTH EXTERNAL " + user + "\r\n").getBytes(StandardCharsets.US_ASCII));
        String answer = line();
        if (!answer.startsWith("OK ")) throw new IOException("authentication was refused: " + answer);
        send("BEGIN\r\n".getBytes(StandardCharsets.US_ASCII));
    }

    private String line() throws IOException {
        var line = new StringBuilder();
        while (line.length() < MOST_HANDSHAKE_BYTES) {
            char c = (char) receive(1)[0];
            if (c == '\n') return line.toString().trim();
            line.append(c);
        }
        throw new IOException("no end of line");
    }

    /// Asks for signals of one name; they are kept until [#nextSignal] from here on.
    public void listenTo(String sender, String path, String member) throws IOException {
        String rule = "type='signal',sender='" + sender + "',path='" + path + "',member='" + member + "'";
        call(BUS, "/org/freedesktop/DBus", BUS, "AddMatch", "s", body -> body.string(rule));
    }

    /// Calls a method and waits for its answer.
    ///
    /// @param signature of the arguments
    /// @throws Refused when the answer is an error
    public BusMessage call(String destination, String path, String owner, String member, String signature, BusWriter.Elements arguments)
            throws IOException {
        long call = ++serial;
        var body = new BusWriter();
        arguments.write(body);
        var message = new BusWriter().octet('l').octet(BusMessage.CALL).octet(0).octet(1).uint32(body.length()).uint32(call);
        message.array(8, fields -> {
            field(fields, BusMessage.FIELD_PATH, "o").string(path);
            field(fields, BusMessage.FIELD_DESTINATION, "s").string(destination);
            field(fields, BusMessage.FIELD_INTERFACE, "s").string(owner);
            field(fields, BusMessage.FIELD_MEMBER, "s").string(member);
            if (!signature.isEmpty()) field(fields, BusMessage.FIELD_SIGNATURE, "g").signature(signature);
        });
        message.align(8);
        send(message.toByteArray());
        send(body.toByteArray());
        while (true) {
            BusMessage answer = next();
            if (answer.type() == BusMessage.SIGNAL) signals.add(answer);
            if (answer.replyTo() != call) continue;
            if (answer.type() == BusMessage.ERROR) {
                throw new Refused(answer.name(), answer.body().length == 0 ? answer.name() : answer.read().string());
            }
            return answer;
        }
    }

    private static BusWriter field(BusWriter fields, int code, String type) {
        return fields.align(8).octet(code).signature(type);
    }

    /// Waits for a signal.
    ///
    /// @param member others are dropped
    public BusMessage nextSignal(String member) throws IOException {
        while (true) {
            BusMessage signal = signals.poll();
            if (signal == null) signal = next();
            if (signal.type() == BusMessage.SIGNAL && member.equals(signal.name())) return signal;
        }
    }

    private BusMessage next() throws IOException {
        byte[] fixed = receive(BusMessage.FIXED_BYTES);
        byte[] rest = receive(BusMessage.rest(fixed));
        byte[] message = java.util.Arrays.copyOf(fixed, fixed.length + rest.length);
        System.arraycopy(rest, 0, message, fixed.length, rest.length);
        return BusMessage.parse(message);
    }

    private void send(byte[] bytes) throws IOException {
        for (var left = ByteBuffer.wrap(bytes); left.hasRemaining(); ) {
            if (channel.write(left) == 0) await(SelectionKey.OP_WRITE);
        }
    }

    private byte[] receive(int length) throws IOException {
        var bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining()) {
            int read = channel.read(bytes);
            if (read < 0) throw new IOException("the bus hung up");
            if (read == 0) await(SelectionKey.OP_READ);
        }
        return bytes.array();
    }

    private void await(int operation) throws IOException {
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (left <= 0) throw new IOException("no answer within the time");
        channel.keyFor(selector).interestOps(operation);
        selector.select(left);
        selector.selectedKeys().clear();
    }

    @Override
    public void close() {
        try {
            selector.close();
            channel.close();
        } catch (IOException _) {
            // nothing more was to be said
        }
    }
}
