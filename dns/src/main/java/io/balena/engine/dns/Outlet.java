package io.balena.engine.dns;

import io.balena.engine.linux.NetworkNamespace;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Where one container's questions arrive, and from where those it cannot be told here go on. For the resolver's thread.
final class Outlet implements AutoCloseable {
    /// Questions at servers at a time, as many as Docker allows would take too much memory here; others are answered with a failure.
    private static final int MOST_FORWARDS = 128;
    private static final int MOST_CLIENTS = 16;
    /// So that one container does not keep others waiting.
    private static final int AT_A_TIME = 32;
    private static final byte[] ADDRESS = {127, 0, 0, 11};

    /// Ports at 127.0.0.11.
    record Ports(int udp, int tcp) {}

    private final NetworkNamespace namespace;
    private final int pid;
    private final Home home;
    private final SocketLoop loop;
    private final NameTable table;
    private final KernelRandom random;
    private final DatagramChannel datagrams;
    private final ServerSocketChannel listener;
    private final Set<Forward> forwards = new HashSet<>();
    private final Set<StreamClient> clients = new HashSet<>();
    private ContainerNames names;

    /// @param namespace taken over
    private Outlet(ContainerNames names, int pid, NetworkNamespace namespace, Home home, SocketLoop loop, NameTable table, KernelRandom random)
            throws IOException {
        this.names = names;
        this.pid = pid;
        this.namespace = namespace;
        this.home = home;
        this.loop = loop;
        this.table = table;
        this.random = random;
        datagrams = home.in(namespace, () -> DatagramChannel.open(StandardProtocolFamily.INET));
        try {
            listener = home.in(namespace, () -> ServerSocketChannel.open(StandardProtocolFamily.INET));
        } catch (IOException e) {
            close(datagrams);
            throw e;
        }
    }

    static Outlet open(ContainerNames names, int pid, NetworkNamespace namespace, Home home, SocketLoop loop, NameTable table, KernelRandom random)
            throws IOException {
        Outlet outlet;
        try {
            outlet = new Outlet(names, pid, namespace, home, loop, table, random);
        } catch (IOException e) {
            namespace.close();
            throw e;
        }
        try {
            outlet.listen();
            return outlet;
        } catch (IOException e) {
            outlet.close();
            throw e;
        }
    }

    private void listen() throws IOException {
        InetSocketAddress any = new InetSocketAddress(InetAddress.getByAddress(ADDRESS), 0);
        datagrams.configureBlocking(false);
        datagrams.bind(any);
        listener.configureBlocking(false);
        listener.bind(any, MOST_CLIENTS);
        loop.watch(datagrams, SelectionKey.OP_READ, this::receive);
        loop.watch(listener, SelectionKey.OP_ACCEPT, this::accept);
    }

    Ports ports() throws IOException {
        return new Ports(((InetSocketAddress) datagrams.getLocalAddress()).getPort(), ((InetSocketAddress) listener.getLocalAddress()).getPort());
    }

    /// Whose namespace it is in.
    int pid() {
        return pid;
    }

    NetworkNamespace namespace() {
        return namespace;
    }

    void change(ContainerNames now) {
        names = now;
    }

    private void receive() {
        for (int i = 0; i < AT_A_TIME; i++) {
            ByteBuffer buffer = loop.buffer();
            SocketAddress from;
            try {
                from = datagrams.receive(buffer);
            } catch (IOException e) {
                return; // an earlier answer found nobody
            }
            if (from == null) return;
            byte[] message = new byte[buffer.flip().remaining()];
            buffer.get(message);
            DatagramAsker asker = new DatagramAsker(from);
            asker.forward = answer(message, 0, asker).orElse(null);
            if (asker.forward != null) begin(asker.forward);
        }
    }

    private final class DatagramAsker implements Forward.Asker {
        private final SocketAddress address;
        private Forward forward;

        private DatagramAsker(SocketAddress address) {
            this.address = address;
        }

        @Override
        public void answer(byte[] answer) {
            if (forward != null) ended(forward);
            try {
                if (datagrams.isOpen()) datagrams.send(ByteBuffer.wrap(answer), address);
            } catch (IOException e) {
                // It asks again.
            }
        }
    }

    private void accept() {
        try {
            SocketChannel socket = listener.accept();
            if (socket == null) return;
            if (clients.size() == MOST_CLIENTS) close(socket);
            else clients.add(new StreamClient(socket, this, loop));
        } catch (IOException e) {
            // It left before it was answered.
        }
    }

    void left(StreamClient client) {
        clients.remove(client);
    }

    /// Answers at once, or not at all, or says who will.
    ///
    /// @param limit bytes; 0 when the question says
    Optional<Forward> answer(byte[] message, int limit, Forward.Asker asker) {
        DnsQuery query;
        try {
            query = DnsQuery.parse(message);
        } catch (MalformedQuery e) {
            if (e.code() >= 0) asker.answer(DnsReply.failure(message, e.code()));
            return Optional.empty();
        }
        boolean stream = limit > 0;
        Optional<byte[]> own = own(query, stream ? limit : query.limit());
        if (own.isPresent()) {
            asker.answer(own.get());
            return Optional.empty();
        }
        if (names.servers().isEmpty() || forwards.size() == MOST_FORWARDS) {
            asker.answer(DnsReply.failure(query, DnsReply.SERVER_FAILURE));
            return Optional.empty();
        }
        if (stream) return Optional.of(new StreamForward(query, names.servers(), this, loop, asker));
        return Optional.of(new DatagramForward(query, names.servers(), this, loop, answer ->
                asker.answer(answer.length > query.limit() ? DnsReply.truncated(query) : answer)));
    }

    /// What is known here.
    private Optional<byte[]> own(DnsQuery query, int limit) {
        if (!query.isOfTheInternet()) return Optional.empty();
        if (query.type() == DnsQuery.PTR) {
            return ReverseName.addressOf(query.name()).flatMap(address -> table.nameOf(names, address))
                    .map(name -> DnsReply.pointer(query, name));
        }
        if (!query.isForNames()) return Optional.empty();
        Optional<List<InetAddress>> found = table.find(names, query.name(), query.type() == DnsQuery.AAAA);
        // No container takes mail for another.
        if (found.isPresent() && query.type() == DnsQuery.MX) found = Optional.of(List.of());
        if (found.isPresent()) return Optional.of(DnsReply.addresses(query, found.get(), limit));
        if (names.domainsWanted() && query.type() != DnsQuery.MX && query.name().indexOf('.') < 0) return Optional.of(DnsReply.addresses(query, List.of(), limit));
        return Optional.empty();
    }

    void begin(Forward forward) {
        forwards.add(forward);
        forward.begin(random);
    }

    void ended(Forward forward) {
        forwards.remove(forward);
    }

    /// Makes a socket from which `server` is to be asked.
    <T> T open(ContainerNames.Server server, Home.Opening<T> opening) throws IOException {
        return server.ofHost() ? opening.open() : home.in(namespace, opening);
    }

    static ProtocolFamily family(InetAddress address) {
        return address instanceof Inet4Address ? StandardProtocolFamily.INET : StandardProtocolFamily.INET6;
    }

    static void close(Channel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // The descriptor is gone all the same.
        }
    }

    @Override
    public void close() {
        for (StreamClient client : List.copyOf(clients)) client.close();
        for (Forward forward : List.copyOf(forwards)) forward.stop();
        forwards.clear();
        close(datagrams);
        close(listener);
        namespace.close();
    }
}
