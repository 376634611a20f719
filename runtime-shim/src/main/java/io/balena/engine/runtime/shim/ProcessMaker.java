package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.Pipe;
import io.balena.engine.linux.PseudoTerminal;
import io.balena.engine.runtime.container.ContainerRuntime;
import io.balena.engine.runtime.process.ContainerProcess;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.spec.TerminalRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/// Gives new processes their standard streams. Runs on worker threads.
final class ProcessMaker {
    private final ContainerRuntime runtime;

    ProcessMaker(ContainerRuntime runtime) {
        this.runtime = runtime;
    }

    /// A process, and the shim's ends of its streams, all non-blocking.
    ///
    /// @param streams `stdout` and `stderr` for pipes, or a terminal
    /// @param outOfMemory see [ContainerRuntime#watchOutOfMemory(String)]
    record Made(ContainerProcess process, Streams streams, Optional<Fd> outOfMemory) {}

    sealed interface Streams {
        record Pipes(Optional<Fd> stdin, Fd stdout, Fd stderr) implements Streams {}

        /// @param input a duplicate of the master
        record Terminal(Fd master, Fd input, Fd slave) implements Streams {}
    }

    private interface Call {
        ContainerProcess with(StandardStreams streams) throws IOException;
    }

    Made create(String id, Path bundle, boolean stdin) throws IOException {
        Made made = make(TerminalRequest.ofBundle(bundle), stdin, streams -> runtime.create(id, bundle, streams));
        return new Made(made.process, made.streams, runtime.watchOutOfMemory(id));
    }

    Made exec(String id, byte[] processJson, boolean stdin) throws IOException {
        return make(TerminalRequest.ofProcess(processJson), stdin, streams -> runtime.exec(id, processJson, streams));
    }

    private static Made make(TerminalRequest terminal, boolean stdin, Call call) throws IOException {
        if (!terminal.wanted()) return makeWithPipes(stdin, call);
        ContainerProcess process = call.with(new StandardStreams.Terminal(terminal.rows(), terminal.columns()));
        Fd master = process.terminal().orElseThrow(() -> new IOException("the runtime made no terminal"));
        master.setNonBlocking();
        return new Made(
                process,
                new Streams.Terminal(master, master.duplicate(), PseudoTerminal.openSlave(master)),
                Optional.empty());
    }

    private static Made makeWithPipes(boolean stdin, Call call) throws IOException {
        try (var owned = new Ends()) {
            Fd childIn;
            Fd ourIn = null;
            if (stdin) {
                Pipe in = owned.pipe();
                childIn = in.readEnd();
                ourIn = in.writeEnd();
                ourIn.setNonBlocking();
            } else {
                childIn = owned.add(Fd.openNull());
            }
            Pipe out = owned.pipe();
            Pipe err = owned.pipe();
            out.readEnd().setNonBlocking();
            err.readEnd().setNonBlocking();
            ContainerProcess process = call.with(new StandardStreams.Pipes(childIn, out.writeEnd(), err.writeEnd()));
            return new Made(
                    process,
                    new Streams.Pipes(
                            Optional.ofNullable(ourIn == null ? null : new Fd(ourIn.release())),
                            new Fd(out.readEnd().release()),
                            new Fd(err.readEnd().release())),
                    Optional.empty());
        }
    }

    /// Closes whatever was not handed on: the child's ends always, ours when the process could not be made.
    private static final class Ends implements AutoCloseable {
        private final Fd[] fds = new Fd[6];
        private int count;

        Fd add(Fd fd) {
            fds[count++] = fd;
            return fd;
        }

        Pipe pipe() throws IOException {
            Pipe pipe = Pipe.open();
            add(pipe.readEnd());
            add(pipe.writeEnd());
            return pipe;
        }

        @Override
        public void close() {
            for (int i = 0; i < count; i++) fds[i].close();
        }
    }
}
