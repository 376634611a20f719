package io.balena.engine.runtime;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.linux.PseudoTerminal;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The shim's ends of one process's standard streams, its log, and the clients attached to them.
///
/// ```
///  stdout pipe ─┐              ┌─ log
///               ├─ one buffer ─┼─ client, stdout and stderr       clients' input ── stdin pipe
///  stderr pipe ─┘              └─ client, stdout only
/// ```
///
/// As with Docker, a client that does not take its output holds the process up, since nothing may be lost: while one is behind,
/// the pipes are not read. It costs one buffer of memory. One that goes away is forgotten at once.
final class ProcessStreams {
    static final int STDOUT = 1;
    static final int STDERR = 2;
    /// Most bytes moved at once.
    static final int PIECE_BYTES = 64 << 10;
    /// `[stream, 0, 0, 0, length (4)]` before each piece, unless it comes from a terminal.
    private static final int FRAME_BYTES = 8;
    /// As long as Docker waits for output of processes that have outlived the one that ended.
    private static final int GRACE_MILLIS = 2000;
    /// What a pipe may hold at most, for one that is not privileged, and some more.
    private static final int MAX_DRAIN_BYTES = 4 << 20;

    private final ShimBuffers buffers;
    private final EventLoop loop;
    private final List<Attachment> clients = new ArrayList<>();
    private final List<Output> outputs = new ArrayList<>();
    private Optional<JsonFileLog> log = Optional.empty();
    private ProcessInput input;
    private Fd terminal;
    private Fd terminalSlave;
    private boolean opened;
    private boolean stdinOnce;
    private Runnable complete;
    private boolean completed;
    private Runnable lastClientLeft = () -> {};

    /// @param buffers lent by the shim for the time of a call
    ProcessStreams(ShimBuffers buffers, EventLoop loop) {
        this.buffers = buffers;
        this.loop = loop;
    }

    /// One stream that is read.
    private final class Output {
        private final Fd fd;
        private final int number;
        private final JsonFileLog.Stream logged;
        private final EventLoop.Watch watch;
        private boolean ended;

        Output(Fd fd, int number) {
            this.fd = fd;
            this.number = number;
            this.logged = new JsonFileLog.Stream(number == STDOUT ? "stdout" : "stderr");
            this.watch = loop.watch(fd, events -> ready());
            watch.want(Epoll.READABLE);
        }

        private void ready() {
            if (aClientIsBehind()) {
                watch.pause();
                return;
            }
            pass();
            if (ended && allEnded() && complete != null) complete();
        }

        /// @return bytes read, 0 when there is nothing more at the moment or at all
        private int pass() {
            int count;
            try {
                count = staysUntilLogged()
                        ? buffers.peek().read(fd, buffers.piece(), FRAME_BYTES, PIECE_BYTES)
                        : buffers.piece().read(fd, FRAME_BYTES, PIECE_BYTES);
            } catch (ErrnoException e) {
                count = 0; // EIO: nobody has the terminal open any more
            }
            if (count == NativeBuffer.WOULD_BLOCK) return 0;
            if (count == 0) {
                end();
                return 0;
            }
            if (log.isPresent()) {
                byte[] heap = buffers.heap();
                buffers.piece().get(FRAME_BYTES, heap, 0, count);
                log.get().write(logged, heap, count);
            }
            toClients(number, count);
            if (staysUntilLogged()) take(count);
            return count;
        }

        /// What a killed shim had in its hands is found in the pipe by the next one. Nothing of the kind is possible for a terminal.
        private boolean staysUntilLogged() {
            return terminal == null && log.isPresent();
        }

        private void take(int count) {
            try {
                for (int taken = 0; taken < count; ) {
                    int more = buffers.piece().read(fd, FRAME_BYTES, count - taken);
                    if (more <= 0) return; // somebody else has taken it, which only root could
                    taken += more;
                }
            } catch (ErrnoException e) {
                end();
            }
        }

        private void end() {
            if (ended) return;
            ended = true;
            watch.forget();
            fd.close();
            if (log.isPresent()) log.get().end(logged);
        }
    }

    /// Begins to serve pipes.
    ///
    /// @param stdin empty when the process reads `/dev/null`
    void openPipes(Optional<Fd> stdin, Fd stdout, Fd stderr, Optional<JsonFileLog> to, boolean closeStdinOnce) {
        log = to;
        stdinOnce = closeStdinOnce;
        if (stdin.isPresent()) input = new ProcessInput(stdin.get(), false, loop, this::takeInput);
        outputs.add(new Output(stdout, STDOUT));
        outputs.add(new Output(stderr, STDERR));
        opened();
    }

    /// Begins to serve a terminal.
    ///
    /// @param master `forInput` is a duplicate of it, since each direction is waited for on its own
    /// @param slave kept open, so that a process may close its terminal and open it again (as an init does), which would
    ///     otherwise be the terminal's end
    void openTerminal(Fd master, Fd forInput, Fd slave, Optional<JsonFileLog> to) {
        log = to;
        terminal = master;
        terminalSlave = slave;
        input = new ProcessInput(forInput, true, loop, this::takeInput);
        outputs.add(new Output(master, STDOUT));
        opened();
    }

    /// For a process made by an earlier shim, whose pipes died with it.
    void openNothing() {
        opened();
    }

    /// Tells the terminal its size. Does nothing without one.
    void resize(int rows, int columns) throws ErrnoException {
        if (terminal != null && !outputs.get(0).ended) PseudoTerminal.setWindowSize(terminal, rows, columns);
    }

    /// There is something it may be heard by.
    boolean hasOutput() {
        return !outputs.isEmpty();
    }

    /// The terminal's master, while there is one.
    Optional<Fd> terminal() {
        return completed ? Optional.empty() : Optional.ofNullable(terminal);
    }

    void whenLastClientLeaves(Runnable task) {
        lastClientLeft = task;
    }

    void attach(Attachment client) {
        if (completed) {
            client.end();
            return;
        }
        clients.add(client);
        client.takeInput(opened && (input == null || !input.isFull()));
    }

    void input(NativeBuffer buffer, int offset, int length) {
        if (input == null) return;
        input.write(buffer, offset, length);
        if (input.isFull()) {
            for (int i = 0; i < clients.size(); i++) {
                if (clients.get(i).hasStdin()) clients.get(i).takeInput(false);
            }
        }
    }

    void inputEnded() {
        if (input != null && stdinOnce) input.end();
    }

    void clientCaughtUp() {
        if (aClientIsBehind()) return;
        for (int i = 0; i < outputs.size(); i++) {
            if (!outputs.get(i).ended) outputs.get(i).watch.want(Epoll.READABLE);
        }
    }

    void clientLeft(Attachment client) {
        clients.remove(client);
        clientCaughtUp();
        if (clients.isEmpty()) lastClientLeft.run();
    }

    /// The process has ended. What it wrote is still in the pipes.
    ///
    /// @param outlived called when another process still has a pipe open
    /// @param done called when everything was read and logged
    void processEnded(Runnable outlived, Runnable done) {
        complete = done;
        if (terminalSlave != null) terminalSlave.close();
        drain();
        if (allEnded()) {
            complete();
            return;
        }
        loop.after(GRACE_MILLIS, this::complete);
        outlived.run();
    }

    /// Closes everything at once, without a process or after its end.
    void close() {
        if (completed) return;
        completed = true;
        opened = true;
        for (int i = 0; i < outputs.size(); i++) outputs.get(i).end();
        if (input != null) input.close();
        if (terminalSlave != null) terminalSlave.close();
        if (log.isPresent()) log.get().close();
        List<Attachment> leaving = new ArrayList<>(clients);
        clients.clear();
        for (int i = 0; i < leaving.size(); i++) leaving.get(i).end();
    }

    private void complete() {
        if (completed) return;
        drain();
        close();
        complete.run();
    }

    /// Reads what is in the pipes, also for clients that are behind: their share is kept for them.
    private void drain() {
        for (int i = 0; i < outputs.size(); i++) {
            Output output = outputs.get(i);
            for (int total = 0; !output.ended && total < MAX_DRAIN_BYTES; ) {
                int count = output.pass();
                if (count == 0) break;
                total += count;
            }
        }
    }

    private void opened() {
        opened = true;
        takeInput();
    }

    private void takeInput() {
        for (int i = 0; i < clients.size(); i++) clients.get(i).takeInput(true);
    }

    private void toClients(int stream, int length) {
        if (clients.isEmpty()) return;
        NativeBuffer piece = buffers.piece();
        boolean framed = terminal == null;
        if (framed) {
            byte[] frame = {
                (byte) stream, 0, 0, 0, (byte) (length >> 24), (byte) (length >> 16), (byte) (length >> 8), (byte) length
            };
            piece.put(0, frame, 0, FRAME_BYTES);
        }
        // Backwards, since one that is gone leaves the list.
        for (int i = clients.size() - 1; i >= 0; i--) {
            Attachment client = clients.get(i);
            if (!client.wants(stream)) continue;
            if (framed) client.send(piece, 0, FRAME_BYTES + length);
            else client.send(piece, FRAME_BYTES, length);
        }
        if (aClientIsBehind()) {
            for (int i = 0; i < outputs.size(); i++) outputs.get(i).watch.pause();
        }
    }

    private boolean aClientIsBehind() {
        for (int i = 0; i < clients.size(); i++) {
            if (clients.get(i).isBehind()) return true;
        }
        return false;
    }

    private boolean allEnded() {
        for (int i = 0; i < outputs.size(); i++) {
            if (!outputs.get(i).ended) return false;
        }
        return true;
    }
}
