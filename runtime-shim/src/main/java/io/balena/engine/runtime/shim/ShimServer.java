package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.UnixListener;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.loop.Workers;
import io.balena.engine.runtime.stream.Connection;
import io.balena.engine.runtime.stream.ShimBuffers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/// The shim at work: accepts clients until it is no longer needed.
final class ShimServer {
    /// A shim without containers waits so long for a daemon that is only being restarted.
    private static final int LONELY_MILLIS = 30_000;
    private static final int RETRY_MILLIS = 1000;

    private final EventLoop loop;
    private final Workers workers;
    private final ShimBuffers buffers = ShimBuffers.allocate();
    private final Subscribers subscribers = new Subscribers();
    private final OwnedContainers containers;
    private final Diagnostics diagnostics;
    private UnixListener listener;
    private EventLoop.Watch listening;
    private boolean asked;

    ShimServer(Path stateRoot, EventLoop loop, Diagnostics diagnostics) {
        this.loop = loop;
        this.diagnostics = diagnostics;
        workers = new Workers(loop);
        containers = new OwnedContainers(stateRoot, loop, workers, buffers, subscribers, diagnostics);
    }

    /// Adopts what an earlier shim left behind, then listens.
    void open(Path socket, Path stateRoot) throws IOException {
        containers.adopt(stateRoot.toFile());
        listener = UnixListener.bind(socket);
        listening = loop.watch(listener.fd(), _ -> accept());
        listening.want(Epoll.READABLE);
        daemonLeft();
    }

    /// The machine is being shut down, or somebody wants the shim to go: it stays as long as a container needs it.
    ///
    /// @param afterwards run when no container is alive
    void leaveWhenContainersHaveEnded(Runnable afterwards) {
        if (!containers.anyAlive()) afterwards.run();
        else loop.after(RETRY_MILLIS, () -> leaveWhenContainersHaveEnded(afterwards));
    }

    void leaveIfIdle() {
        if (containers.isEmpty() && workers.areIdle()) {
            listening.forget();
            listener.close();
            loop.end();
        }
    }

    /// Nobody listens any more: without containers, there is nothing to stay for.
    void daemonLeft() {
        if (asked || !subscribers.isEmpty()) return;
        asked = true;
        loop.after(LONELY_MILLIS, () -> {
            asked = false;
            if (!subscribers.isEmpty()) return;
            leaveIfIdle();
            daemonLeft();
        });
    }

    void protocolError(Exception e) {
        diagnostics.warning("a client was dropped: " + e);
    }

    private void accept() {
        try {
            while (true) {
                Optional<Fd> accepted = listener.accept();
                if (accepted.isEmpty()) return;
                if (!UnixListener.peerIsTrusted(accepted.get())) {
                    accepted.get().close();
                    continue;
                }
                Connection connection = new Connection(accepted.get(), buffers, loop);
                connection.start(new ShimClient(connection, containers, subscribers, this));
            }
        } catch (ErrnoException e) {
            // Out of descriptors or memory: who waits goes on waiting, and the loop must not spin meanwhile.
            diagnostics.error("cannot accept a client", e);
            listening.pause();
            loop.after(RETRY_MILLIS, () -> listening.want(Epoll.READABLE));
        }
    }
}
