package io.balena.engine.runtime.client;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.PidFd;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.PipeEnds;
import io.balena.engine.runtime.wire.Protocol;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/// Read ends of containers' output, held by the daemon and never read: while the shim is being replaced, a container that writes
/// waits, instead of being killed by SIGPIPE, and the next shim finds everything it wrote.
///
/// Nothing of the kind is possible for stdin: a container would not see its end while the daemon has one.
/// Their processes, too, by which a newer kernel tells how they ended though their parent is gone.
/// And masters of their terminals: with the last of them a terminal ends, and whoever is in its foreground is killed by SIGHUP.
final class SpareEnds implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(SpareEnds.class.getName());

    /// How long whoever inherits a process from a dead shim (init, mostly) may take to reap it.
    private static final int REAPING_MILLIS = 2000;

    private final Map<String, List<Fd>> ends = new HashMap<>();
    private final Map<String, Fd> terminals = new HashMap<>();
    private final Map<String, PidFd> processes = new HashMap<>();
    private boolean closed;

    synchronized void hold(String containerId, int pid) {
        release(containerId);
        if (closed) return;
        try {
            processes.put(containerId, PidFd.open(pid));
        } catch (IOException e) {
            // It has ended; its shim knows how.
        }
        List<Fd> held = new ArrayList<>();
        for (int number = 1; number <= 2; number++) {
            Optional<Fd> end = PipeEnds.readEnd(pid, number);
            end.ifPresent(held::add);
        }
        if (!held.isEmpty()) ends.put(containerId, held);
    }

    /// @param number of the shim's descriptor of the master
    synchronized void holdTerminal(String containerId, int shim, int number) {
        if (closed) return;
        try (PidFd owner = PidFd.open(shim)) {
            Fd before = terminals.put(containerId, owner.descriptor(number));
            if (before != null) before.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "the terminal of {0} will end with its shim: {1}", containerId, e.getMessage());
        }
    }

    /// How a container's process has ended that no living shim is the parent of. Can be asked once.
    ///
    /// @return empty when nobody can tell
    OptionalInt exitCode(String containerId) {
        PidFd ended;
        synchronized (this) {
            // Taken out, so that a removal or the next start meanwhile does not close it.
            ended = processes.remove(containerId);
        }
        if (ended == null) return OptionalInt.empty();
        try (ended) {
            return ended.exitCode(REAPING_MILLIS);
        } catch (IOException e) {
            return OptionalInt.empty();
        }
    }

    /// What is held, by container, as the requests that hand it over.
    synchronized Map<String, Message.Builder> handOver() {
        Map<String, Message.Builder> requests = new HashMap<>();
        for (Map.Entry<String, Fd> terminal : terminals.entrySet()) {
            requests.put(terminal.getKey(), adoption(terminal.getKey()).number(Protocol.Tag.TERMINAL, terminal.getValue().number()));
        }
        for (Map.Entry<String, List<Fd>> pipes : ends.entrySet()) {
            if (pipes.getValue().size() < 2) continue;
            requests.put(pipes.getKey(), adoption(pipes.getKey())
                    .number(Protocol.Tag.STDOUT_END, pipes.getValue().get(0).number())
                    .number(Protocol.Tag.STDERR_END, pipes.getValue().get(1).number()));
        }
        return requests;
    }

    private static Message.Builder adoption(String containerId) {
        return Message.of(Protocol.ADOPT).text(Protocol.Tag.CONTAINER_ID, containerId)
                .number(Protocol.Tag.PID, ProcessHandle.current().pid());
    }

    /// To be called when the container has ended, or others who write to the pipes would wait for ever.
    synchronized void release(String containerId) {
        List<Fd> held = ends.remove(containerId);
        if (held != null) held.forEach(Fd::close);
        Fd terminal = terminals.remove(containerId);
        if (terminal != null) terminal.close();
        PidFd process = processes.remove(containerId);
        if (process != null) process.close();
    }

    @Override
    public synchronized void close() {
        closed = true;
        for (List<Fd> held : ends.values()) held.forEach(Fd::close);
        ends.clear();
        terminals.values().forEach(Fd::close);
        terminals.clear();
        processes.values().forEach(PidFd::close);
        processes.clear();
    }
}
