package io.balena.engine.runtime.shim;

import io.balena.engine.runtime.container.ContainerRuntime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A container as the shim's loop keeps it: a few objects, three pipes, two watched descriptors.
final class OwnedContainer {
    /// What the first process is doing. How it ended is in [OwnedProcess#status()].
    enum Phase {
        CREATING,
        CREATED,
        RUNNING,
        PAUSED,
        /// Its start failed: the program has never run.
        FAILED
    }

    private final String id;
    private final ContainerRuntime runtime;
    private final OwnedProcess first;
    private final MemoryWatch memory;
    private final Map<String, OwnedProcess> execs = new LinkedHashMap<>();
    private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
    private final List<Runnable> whenEnded = new ArrayList<>();
    private boolean busy;
    Phase phase = Phase.CREATING;

    OwnedContainer(String id, ContainerRuntime runtime, OwnedProcess first, MemoryWatch memory) {
        this.id = id;
        this.runtime = runtime;
        this.first = first;
        this.memory = memory;
    }

    String id() {
        return id;
    }

    /// The one that made it, or is to.
    ContainerRuntime runtime() {
        return runtime;
    }

    OwnedProcess first() {
        return first;
    }

    MemoryWatch memory() {
        return memory;
    }

    Map<String, OwnedProcess> execs() {
        return execs;
    }

    /// Runs `work` when the work before it is finished: the runtime does one thing at a time to a container.
    void inTurn(Runnable work) {
        if (busy) {
            waiting.add(work);
            return;
        }
        busy = true;
        work.run();
    }

    /// @param then run once its end is recorded
    void whenEnded(Runnable then) {
        whenEnded.add(then);
    }

    /// @return false when it is too late for that, or has happened
    boolean stopsExpecting(Runnable then) {
        return whenEnded.remove(then);
    }

    /// Its first process has ended, and that is recorded.
    void ended() {
        List<Runnable> expecting = List.copyOf(whenEnded);
        whenEnded.clear();
        for (int i = 0; i < expecting.size(); i++) expecting.get(i).run();
    }

    /// The work that was begun last is finished.
    void next() {
        Runnable work = waiting.poll();
        if (work == null) busy = false;
        else work.run();
    }
}
