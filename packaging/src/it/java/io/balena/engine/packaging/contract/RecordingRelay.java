package io.balena.engine.packaging.contract;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.EventFd;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.UnixListener;
import io.balena.engine.linux.UnixStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/// Stands between clients and an engine's socket and writes down what they say to each other.
///
/// Nobody is to notice it: a side that has finished sending has finished on the other side, one that has gone is gone there, and one
/// that does not read is not read from. An engine that does not listen is one that hangs up.
public final class RecordingRelay implements AutoCloseable {
    private static final long LISTENER = -1;
    private static final long STOP = -2;

    private final Path engine;
    private final Supplier<Exchanges.Engine> who;
    private final byte[] buffer = new byte[64 * 1024];
    private final UnixListener listener;
    private final Epoll epoll = new Epoll();
    private final EventFd stop = new EventFd();
    private final Map<Long, RelayedConnection> connections = new HashMap<>();
    private final Thread loop = Thread.ofPlatform().daemon().name("relay").unstarted(this::run);
    private long next;

    private RecordingRelay(Path socket, Path engine, Supplier<Exchanges.Engine> who) throws IOException {
        this.engine = engine;
        this.who = who;
        listener = UnixListener.bind(socket);
        epoll.add(listener.fd(), Epoll.READABLE, LISTENER);
        epoll.add(stop.fd(), Epoll.READABLE, STOP);
    }

    /// @param socket where clients come
    /// @param engine where the engine listens, or will
    /// @param who it is at the time
    public static RecordingRelay start(Path socket, Path engine, Supplier<Exchanges.Engine> who) {
        try {
            var relay = new RecordingRelay(socket, engine, who);
            relay.loop.start();
            return relay;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void run() {
        try {
            while (true) {
                int ready = epoll.await(-1);
                for (int i = 0; i < ready; i++) {
                    long token = epoll.token(i);
                    if (token == STOP) return;
                    if (token == LISTENER) acceptAll();
                    else serve(token, epoll.events(i));
                }
            }
        } catch (ErrnoException e) {
            throw new UncheckedIOException(e);
        } finally {
            connections.values().forEach(RelayedConnection::close);
            listener.close();
            epoll.close();
            stop.close();
        }
    }

    private void acceptAll() throws ErrnoException {
        for (Optional<Fd> client; (client = listener.accept()).isPresent(); ) {
            try {
                Fd upstream = UnixStream.connect(engine);
                upstream.setNonBlocking();
                long id = next++;
                connections.put(id, new RelayedConnection(epoll, id, client.get(), upstream, buffer, new Transcript(who.get())));
            } catch (ErrnoException nobodyListens) {
                client.get().close();
            }
        }
    }

    private void serve(long token, int events) throws ErrnoException {
        RelayedConnection connection = connections.get(token >> 1);
        // What was ready together may have been closed by what came before.
        if (connection == null || connection.serve(token, events)) return;
        connection.close();
        connections.remove(token >> 1);
    }

    @Override
    public void close() {
        stop.signal();
        try {
            loop.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
