package io.balena.engine.runtime.stream;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.linux.PseudoTerminal;
import io.balena.engine.runtime.log.LogSink;
import io.balena.engine.runtime.loop.EventLoop;
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
public final class ProcessStreams {
    static final int STDOUT = 1;
    static final int STDERR = 2;
    /// Most bytes moved at once.
    static final int PIECE_BYTES = 64 << 10;
    /// Room of a pipe whose process writes much, in bytes.
    private static final int LARGE_PIPE_BYTES = 256 << 10;
    /// `[stream, 0, 0, 0, length (4)]` before each piece, unless it comes from a terminal.
    private static final int FRAME_BYTES = 8;
    /// As long as Docker waits for output of processes that have outlived the one that ended.
    private static final int GRACE_MILLIS = 2000;
    /// What a pipe may hold at most, for one that is not privileged, and some more.
    private static final int MAX_DRAIN_BYTES = 4 << 20;
    /// A log that takes nothing keeps an end back for ten seconds, as with Docker.
    private static final int LOGGING_MILLIS = 50;
    private int loggingChances = 200;

    private final ShimBuffers buffers;
    private final EventLoop loop;
    private final List<Attachment> clients = new ArrayList<>();
    private final List<Output> outputs = new ArrayList<>();
    private Optional<LogSink> log = Optional.empty();
    private ProcessInput input;
    private Fd terminal;
    private Fd terminalSlave;
    private boolean opened;
    private boolean stdinOnce;
    private Runnable complete;
    private boolean completed;
    private Runnable lastClientLeft = () -> {};

    /// @param buffers lent by the shim for the time of a call
    public ProcessStreams(ShimBuffers buffers, EventLoop loop) {
        this.buffers = buffers;
        this.loop = loop;
    }

    /// One stream that is read.
    private final class Output {
        private final Fd fd;
        private final int number;
        private final LogSink.Source logged;
        private final EventLoop.Watch watch;
        private boolean ended;
        private boolean enlarged;

        Output(Fd fd, int number) {
            this.fd = fd;
            this.number = number;
            this.logged = log.isPresent() ? log.get().source(number == STDOUT ? "stdout" : "stderr") : null;
            this.watch = loop.watch(fd, events -> ready());
            watch.want(Epoll.READABLE);
        }

        private void ready() {
            if (mustWait()) {
                watch.pause();
                return;
            }
            pass();
            if (!ended && mustWait()) watch.pause();
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
            if (count == PIECE_BYTES && !enlarged) enlarge();
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

        /// Its pipe was full, so the process waited for us: with more room, neither has to wake the other so often.
        private void enlarge() {
            enlarged = true;
            try {
                fd.setPipeSize(LARGE_PIPE_BYTES);
            } catch (ErrnoException e) {
                // A terminal, or a user with many pipes: it stays as it is.
            }
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
    public void openPipes(Optional<Fd> stdin, Fd stdout, Fd stderr, Optional<LogSink> to, boolean closeStdinOnce) {
        logTo(to);
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
    public void openTerminal(Fd master, Fd forInput, Fd slave, Optional<LogSink> to) {
        logTo(to);
        terminal = master;
        terminalSlave = slave;
        input = new ProcessInput(forInput, true, loop, this::takeInput);
        outputs.add(new Output(master, STDOUT));
        opened();
    }

    /// For a process made by an earlier shim, whose pipes died with it.
    public void openNothing() {
        opened();
    }

    /// Tells the terminal its size. Does nothing without one.
    public void resize(int rows, int columns) throws ErrnoException {
        if (terminal != null && !outputs.get(0).ended) PseudoTerminal.setWindowSize(terminal, rows, columns);
    }

    /// There is something it may be heard by.
    public boolean hasOutput() {
        return !outputs.isEmpty();
    }

    /// The terminal's master, while there is one.
    public Optional<Fd> terminal() {
        return completed ? Optional.empty() : Optional.ofNullable(terminal);
    }

    public void whenLastClientLeaves(Runnable task) {
        lastClientLeft = task;
    }

    public void attach(Attachment client) {
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
        goOn();
    }

    private void goOn() {
        if (mustWait()) return;
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
    public void processEnded(Runnable outlived, Runnable done) {
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
    public void close() {
        close(() -> {});
    }

    /// @param logged called when the log has everything
    private void close(Runnable logged) {
        if (completed) return;
        completed = true;
        opened = true;
        for (int i = 0; i < outputs.size(); i++) outputs.get(i).end();
        if (input != null) input.close();
        if (terminalSlave != null) terminalSlave.close();
        List<Attachment> leaving = new ArrayList<>(clients);
        clients.clear();
        for (int i = 0; i < leaving.size(); i++) leaving.get(i).end();
        if (log.isPresent()) log.get().close(logged);
        else logged.run();
    }

    private void complete() {
        if (completed) return;
        drain();
        if (!allEnded() && log.isPresent() && log.get().isFull() && loggingChances-- > 0) {
            loop.after(LOGGING_MILLIS, this::complete);
            return;
        }
        close(complete);
    }

    /// Reads what is in the pipes, also for clients that are behind: their share is kept for them.
    private void drain() {
        for (int i = 0; i < outputs.size(); i++) {
            Output output = outputs.get(i);
            for (int total = 0; !output.ended && total < MAX_DRAIN_BYTES && !(log.isPresent() && log.get().isFull()); ) {
                int count = output.pass();
                if (count == 0) break;
                total += count;
            }
        }
    }

    private void logTo(Optional<LogSink> to) {
        log = to;
        if (to.isPresent()) to.get().whenRoom(this::goOn);
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

    private boolean mustWait() {
        return aClientIsBehind() || log.isPresent() && log.get().isFull();
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
