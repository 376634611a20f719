package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.PseudoTerminal;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.log.Logs;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.stream.ProcessStreams;
import io.balena.engine.runtime.stream.ShimBuffers;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import java.io.IOException;
import java.util.Optional;

/// Finds again the standard streams of containers that another shim has made, and goes on with their logs.
final class Adoption {
    private final StreamsRecord pipes;
    private final Logs logs;
    private final ShimBuffers buffers;
    private final EventLoop loop;
    private final Diagnostics diagnostics;

    Adoption(StreamsRecord pipes, Logs logs, ShimBuffers buffers, EventLoop loop, Diagnostics diagnostics) {
        this.pipes = pipes;
        this.logs = logs;
        this.buffers = buffers;
        this.loop = loop;
        this.diagnostics = diagnostics;
    }

    /// A container whose first process lives: by way of it, its pipes are found.
    void reopen(OwnedProcess process, int pid) {
        String id = process.key().containerId();
        try {
            Optional<StreamsRecord.Reopened> found = pipes.reopen(id, pid);
            if (found.isPresent()) {
                StreamsRecord.Reopened ends = found.get();
                process.streams().openPipes(
                        ends.stdin(), ends.stdout(), ends.stderr(), logs.reopen(ends.stdio().log()), ends.stdio().stdinOnce());
                return;
            }
        } catch (IOException e) {
            diagnostics.error("cannot go on logging " + id, e);
        }
        process.streams().openNothing();
    }

    /// Goes on with what a daemon has kept, see [Protocol#ADOPT].
    void goOn(OwnedProcess process, Message kept, Reply reply) {
        String id = process.key().containerId();
        boolean ended = process.status().isPresent();
        int terminal = (int) kept.number(Protocol.Tag.TERMINAL);
        if (!ended && process.streams().hasOutput()) {
            reply.done(); // its pipes were found by way of its process
            return;
        }
        ProcessStreams streams = ended ? new ProcessStreams(buffers, loop) : process.streams();
        try (PidFd daemon = PidFd.open((int) kept.number(Protocol.Tag.PID))) {
            Stdio stdio = pipes.load(id).orElse(new Stdio(true, false, Optional.empty()));
            if (terminal != 0) {
                Fd master = daemon.descriptor(terminal);
                streams.openTerminal(master, master.duplicate(), PseudoTerminal.openSlave(master), logs.reopen(stdio.log()));
            } else {
                Fd stdout = daemon.descriptor((int) kept.number(Protocol.Tag.STDOUT_END));
                Fd stderr = daemon.descriptor((int) kept.number(Protocol.Tag.STDERR_END));
                streams.openPipes(Optional.empty(), stdout, stderr, logs.reopen(stdio.log()), false);
            }
        } catch (IOException e) {
            diagnostics.error("cannot go on with the output of " + id, e);
            reply.failed(e);
            return;
        }
        if (ended) streams.processEnded(() -> {}, reply::done);
        else reply.done();
    }
}
