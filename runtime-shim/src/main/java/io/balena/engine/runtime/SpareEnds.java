package io.balena.engine.runtime;

import io.balena.engine.linux.Fd;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Read ends of containers' output, held by the daemon and never read: while the shim is being replaced, a container that writes
/// waits, instead of being killed by SIGPIPE, and the next shim finds everything it wrote.
///
/// Nothing of the kind is possible for stdin: a container would not see its end while the daemon has one.
final class SpareEnds implements AutoCloseable {
    private final Map<String, List<Fd>> ends = new HashMap<>();
    private boolean closed;

    synchronized void hold(String containerId, int pid) {
        release(containerId);
        if (closed) return;
        List<Fd> held = new ArrayList<>();
        for (int number = 1; number <= 2; number++) {
            Optional<Fd> end = PipeEnds.readEnd(pid, number);
            end.ifPresent(held::add);
        }
        if (!held.isEmpty()) ends.put(containerId, held);
    }

    /// To be called when the container has ended, or others who write to the pipes would wait for ever.
    synchronized void release(String containerId) {
        List<Fd> held = ends.remove(containerId);
        if (held != null) held.forEach(Fd::close);
    }

    @Override
    public synchronized void close() {
        closed = true;
        for (List<Fd> held : ends.values()) held.forEach(Fd::close);
        ends.clear();
    }
}
