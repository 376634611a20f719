package io.balena.engine.runtime.command;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.PassedDescriptor;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.PseudoTerminal;
import io.balena.engine.linux.UnixStream;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.process.ContainerProcess;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.spec.TerminalRequest;
import java.io.IOException;
import java.nio.file.Path;

/// What becomes of the standard streams of a process the command makes: they are our own, or those of a terminal, which is sent to a
/// console socket or joined to ours.
///
/// @see <a href="https://github.com/opencontainers/runc/blob/v1.1.5/docs/terminals.md">runc, terminals</a>
abstract class CommandStreams implements AutoCloseable {
    /// @param consoleSocket where a detached process's terminal is sent; null when not given
    /// @throws ContainerFailure when there would be nobody at the other end of the terminal
    static CommandStreams prepare(boolean terminal, boolean detached, String consoleSocket, TerminalRequest size) throws IOException {
        boolean socket = consoleSocket != null && !consoleSocket.isEmpty();
        if (socket && !(detached && terminal)) throw failure("cannot use console socket if runc will not detach or allocate tty");
        if (!terminal) return new Own();
        if (!detached) return new Joined();
        if (!socket) throw failure("cannot allocate tty if runc will detach without setting console socket");
        return new Sent(Path.of(consoleSocket), size);
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }

    /// What the process is made with.
    abstract StandardStreams childs();

    /// The process is there, and has not executed its program.
    void made(ContainerProcess process) throws IOException {}

    /// From here on signals we get are the process's.
    void attach(PidFd process) throws IOException {
        ForwardedSignals.to(process);
    }

    /// Waits for its end.
    ///
    /// @return its exit code, or 128 + the signal that ended it
    int await(PidFd process) throws IOException {
        return process.awaitEnd();
    }

    @Override
    public void close() {}

    /// Ours are inherited, so nothing has to be carried.
    private static final class Own extends CommandStreams {
        @Override
        StandardStreams childs() {
            // Never closed: they are this process's own.
            return new StandardStreams.Pipes(new Fd(0), new Fd(1), new Fd(2));
        }
    }

    private static final class Sent extends CommandStreams {
        private final Fd socket;
        private final TerminalRequest size;

        Sent(Path path, TerminalRequest size) throws IOException {
            this.socket = UnixStream.connect(path);
            this.size = size;
        }

        @Override
        StandardStreams childs() {
            return new StandardStreams.Terminal(size.rows(), size.columns());
        }

        @Override
        void made(ContainerProcess process) throws IOException {
            try (Fd master = process.terminal().orElseThrow()) {
                PassedDescriptor.send(socket, master, "/dev/ptmx");
            }
        }

        @Override
        public void close() {
            socket.close();
        }
    }

    /// Two terminals become one: ours passes every byte, and the container's has our size.
    private static final class Joined extends CommandStreams {
        private final Fd ours = host();
        private JoinedTerminals joined;
        private Fd master;

        Joined() throws IOException {}

        private static Fd host() throws IOException {
            for (int number = 2; number >= 0; number--) {
                Fd fd = new Fd(number);
                try {
                    PseudoTerminal.windowSize(fd);
                    return fd.duplicate();
                } catch (ErrnoException _) {
                    // no terminal
                }
            }
            try {
                return Fd.open(Path.of("/dev/tty"), OpenFlags.RDWR | OpenFlags.NOCTTY);
            } catch (ErrnoException e) {
                throw failure("open /dev/tty: " + (e.errno() == Errno.ENXIO ? "no such device or address" : e.errno().text()));
            }
        }

        @Override
        StandardStreams childs() {
            try {
                int[] size = PseudoTerminal.windowSize(ours);
                return new StandardStreams.Terminal(size[0], size[1]);
            } catch (ErrnoException _) {
                return new StandardStreams.Terminal(0, 0);
            }
        }

        @Override
        void made(ContainerProcess process) {
            master = process.terminal().orElseThrow();
        }

        @Override
        void attach(PidFd process) throws IOException {
            joined = JoinedTerminals.join(ours, master);
            ForwardedSignals.to(process, joined::resize);
        }

        @Override
        int await(PidFd process) throws IOException {
            int code = process.awaitEnd();
            joined.awaitOutput();
            return code;
        }

        @Override
        public void close() {
            if (joined != null) joined.close();
        }
    }
}
