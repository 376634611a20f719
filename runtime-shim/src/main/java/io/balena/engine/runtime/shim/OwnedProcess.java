package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Children;
import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.PidFd;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.stream.ProcessStreams;
import java.io.IOException;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalInt;

/// One process of a container, from the wish to have it until its deletion.
final class OwnedProcess {
    /// Hears of the end of a process.
    interface Listener {
        /// @param code exit code, 128 + signal, or empty when it is not known
        void ended(OwnedProcess process, OptionalInt code, Instant at);

        /// It has ended, and another process that has its standard streams goes on. `ended` follows when that one has let go of them,
        /// or soon.
        void outlived(OwnedProcess process);
    }

    private final ProcessKey key;
    private final ProcessStreams streams;
    private final EventLoop loop;
    private boolean claimed;
    private PidFd pidFd;
    private EventLoop.Watch watch;
    private Listener listener;
    private Instant since;
    private ExitStatus status;

    OwnedProcess(ProcessKey key, ProcessStreams streams, EventLoop loop) {
        this.key = key;
        this.streams = streams;
        this.loop = loop;
    }

    ProcessKey key() {
        return key;
    }

    ProcessStreams streams() {
        return streams;
    }

    /// The kernel's process, once there is one.
    Optional<PidFd> pidFd() {
        return Optional.ofNullable(pidFd);
    }

    int pid() {
        return pidFd.pid();
    }

    Instant since() {
        return since;
    }

    /// How it ended, once it has, and all its output was recorded.
    Optional<ExitStatus> status() {
        return Optional.ofNullable(status);
    }

    /// Somebody has asked for it to be made; until then it is only expected by attached clients.
    void claim() {
        claimed = true;
    }

    boolean isClaimed() {
        return claimed;
    }

    /// It runs, or has ended and nobody has looked.
    boolean isWatched() {
        return watch != null;
    }

    /// Its program runs now.
    void started(Instant at) {
        since = at;
    }

    /// There is a process now: waits for its end.
    void made(PidFd process, Instant at, Listener whoHearsOfTheEnd) {
        pidFd = process;
        since = at;
        listener = whoHearsOfTheEnd;
        watch = loop.watch(process.fd(), _ -> lookForEnd());
        watch.want(Epoll.READABLE);
    }

    /// For a container whose first process ended before this shim began.
    void madeAndEnded(ExitStatus how) {
        status = how;
        streams.close();
    }

    void signal(int signal) throws IOException {
        pidFd.signal(signal);
    }

    /// Signals also what it has started and what has not left its process group. Only before it is reaped.
    void signalGroup(int signal) throws ErrnoException {
        Children.signalGroup(pid(), signal);
    }

    /// Its end is known; of the program that never ran, or when all output has been recorded.
    void ended(ExitStatus how) {
        status = how;
    }

    /// Takes the exit status, if the process has ended.
    void lookForEnd() {
        if (watch == null) return;
        OptionalInt code;
        try {
            code = Children.reap(pidFd);
        } catch (ErrnoException e) {
            code = OptionalInt.empty(); // not our child: an earlier shim made it
        }
        watch.forget();
        watch = null;
        OptionalInt known = code;
        Instant at = Instant.now();
        streams.processEnded(() -> listener.outlived(this), () -> listener.ended(this, known, at));
    }

    /// Lets go of descriptors. The process itself goes on, if it has not ended.
    void close() {
        if (watch != null) watch.forget();
        watch = null;
        streams.close();
        if (pidFd != null) pidFd.close();
    }
}
