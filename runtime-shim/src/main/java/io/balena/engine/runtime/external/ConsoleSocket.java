package io.balena.engine.runtime.external;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.PassedDescriptor;
import io.balena.engine.linux.UnixListener;
import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/// Where a runtime sends the master of the terminal it made for a process, its `--console-socket`.
///
/// It lies in the shim's folder of containers, not in the container's own, whose path may be longer than that of a socket can be.
///
/// @see <a href="https://github.com/opencontainers/runc/blob/v1.1.5/docs/terminals.md">runc, terminals</a>
final class ConsoleSocket implements AutoCloseable {
    private static final AtomicInteger NUMBER = new AtomicInteger();

    private final Path path;
    private final UnixListener listener;

    ConsoleSocket(Path stateRoot) throws IOException {
        path = stateRoot.resolve(".console-" + NUMBER.incrementAndGet());
        listener = UnixListener.bind(path);
    }

    Path path() {
        return path;
    }

    /// The terminal, once the runtime has ended: it has connected and sent before, and both wait in the socket.
    ///
    /// @throws ContainerFailure when it did not
    Fd master() throws IOException {
        Optional<Fd> connection = listener.accept();
        if (connection.isEmpty()) throw nothing();
        try (Fd sender = connection.get()) {
            return PassedDescriptor.receive(sender).orElseThrow(ConsoleSocket::nothing);
        } catch (ErrnoException e) {
            throw e.errno() == Errno.EAGAIN ? nothing() : e;
        }
    }

    private static ContainerFailure nothing() {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, "the runtime has sent no terminal", true);
    }

    @Override
    public void close() {
        listener.close();
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            // A socket nobody listens to, on a tmpfs; the next of its name takes its place.
        }
    }
}
