package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.EngineException;
import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.container.spec.SpecBuilder;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.client.AttachedStream;
import io.balena.engine.runtime.client.Shim;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/// Further programs in running containers. They are not stored: none survives its container, and who asks knows its id.
final class Execs {
    private static final Logger LOG = System.getLogger(Execs.class.getName());
    private static final ObjectMapper JSON = new ObjectMapper();
    /// Ended ones are kept to be inspected; so many of each container, so that a health probe does not fill the memory.
    private static final int KEPT_ENDED = 32;
    /// The exit code, whatever the reason, also where there is no such program.
    private static final int NEVER_RUN = 126;

    private final ContainerStore store;
    private final SpecBuilder specs;
    private final Bundles bundles;
    private final ContainerEvents events;
    private final Shim shim;
    private final Map<String, Exec> byId = new ConcurrentHashMap<>();

    /// @param command program and arguments
    record Request(List<String> command, List<String> environment, String user, String workingDirectory, boolean tty, boolean privileged,
            boolean stdin, boolean stdout, boolean stderr, String detachKeys, Optional<RuntimeSpec.ConsoleSize> size) {}

    /// How far it is.
    sealed interface State {
        record New() implements State {}

        record Running(int pid) implements State {}

        record Ended(int code) implements State {}
    }

    static final class Exec {
        final String id;
        final Container container;
        final Request request;
        private State state = new State.New();

        private Exec(String id, Container container, Request request) {
            this.id = id;
            this.container = container;
            this.request = request;
        }

        synchronized State state() {
            return state;
        }

        /// Takes the right to start it.
        private synchronized void begin() {
            switch (state) {
                case State.New _ -> state = new State.Running(0);
                case State.Running _ -> throw new Conflict("Error: Exec command " + id + " is already running");
                case State.Ended _ -> throw new Conflict("Error: Exec command " + id + " has already run");
            }
        }

        // The exit may be heard of before the start has returned.
        private synchronized void started(int pid) {
            if (state instanceof State.Running) state = new State.Running(pid);
        }

        private synchronized void ended(int code) {
            state = new State.Ended(code);
            notifyAll();
        }

        /// The end of its output is seen a moment before its exit: who asks for the code right after must find it.
        ///
        /// @param limit for a program that closed its output and goes on
        synchronized void awaitEnd(Duration limit) throws InterruptedException {
            long end = System.nanoTime() + limit.toNanos();
            for (long left; !(state instanceof State.Ended) && (left = end - System.nanoTime()) > 0; ) {
                TimeUnit.NANOSECONDS.timedWait(this, left);
            }
        }
    }

    Execs(ContainerStore store, SpecBuilder specs, Bundles bundles, ContainerEvents events, Shim shim) {
        this.store = store;
        this.specs = specs;
        this.bundles = bundles;
        this.events = events;
        this.shim = shim;
    }

    String create(String idOrName, Request request) {
        Container container = store.find(idOrName);
        requireRunning(container, idOrName);
        if (request.command.isEmpty()) throw new InvalidRequest("No exec command specified");
        var exec = new Exec(ContainerId.random().hex(), container, request);
        byId.put(exec.id, exec);
        container.execs.add(exec.id);
        forgetOld(container);
        events.publish(container.record(), "exec_create: " + String.join(" ", request.command), Map.of("execID", exec.id));
        return exec.id;
    }

    private static void requireRunning(Container container, String calledIt) {
        switch (container.state()) {
            case ContainerState.Running _ -> {}
            case ContainerState.Paused _ -> throw new Conflict("Container " + calledIt + " is paused, unpause the container before exec");
            case ContainerState.Restarting _ ->
                    throw new Conflict("Container " + calledIt + " is restarting, wait until the container is running");
            default -> throw container.notRunning();
        }
    }

    private void forgetOld(Container container) {
        List<String> ended = container.execs.stream()
                .filter(id -> byId.get(id) instanceof Exec exec && exec.state() instanceof State.Ended).toList();
        for (int i = 0; i < ended.size() - KEPT_ENDED; i++) forget(container, ended.get(i));
    }

    void forget(Exec exec) {
        forget(exec.container, exec.id);
    }

    private void forget(Container container, String id) {
        container.execs.remove(id);
        byId.remove(id);
    }

    /// @throws NotFound `No such exec instance: …`
    Exec find(String id) {
        Exec exec = byId.get(id);
        if (exec == null) throw new NotFound("No such exec instance: " + id);
        if (!exec.container.state().isAlive()) throw exec.container.notRunning();
        return exec;
    }

    /// Also when its container has ended.
    Exec inspect(String id) {
        Exec exec = byId.get(id);
        if (exec == null) throw new NotFound("No such exec instance: " + id);
        return exec;
    }

    /// Attaches, before there is anything to miss.
    AttachedStream attach(Exec exec) throws IOException {
        return shim.attach(key(exec), exec.request.stdin, exec.request.stdout, exec.request.stderr);
    }

    /// Takes the right to start `exec`, which may be done once.
    ///
    /// @throws Conflict in Docker's words
    void begin(Exec exec) {
        requireRunning(exec.container, exec.container.record().name());
        exec.begin();
    }

    /// Starts what was begun. Returns when the program runs.
    ///
    /// @throws EngineException in Docker's words; the exec has ended then, with the code that clients show
    void run(Exec exec, Optional<RuntimeSpec.ConsoleSize> size) throws IOException {
        ContainerRecord record = exec.container.record();
        Request asked = exec.request;
        try {
            RuntimeSpec.Process process = specs.exec(record.config(), record.host(), bundles.rootOf(record.id()), asked.command,
                    asked.environment, asked.user, asked.workingDirectory, asked.tty, asked.privileged,
                    asked.tty ? size.or(asked::size).orElse(null) : null);
            events.publish(record, "exec_start: " + String.join(" ", asked.command), Map.of("execID", exec.id));
            exec.started(shim.exec(key(exec), JSON.writeValueAsBytes(process), new Stdio(asked.stdin, true, Optional.empty())));
        } catch (ContainerFailure e) {
            exec.ended(NEVER_RUN);
            throw StartFailure.told("OCI runtime exec failed: " + (e.isOfOtherRuntime() ? "" : "exec failed: "), e);
        } catch (IOException | RuntimeException e) {
            exec.ended(NEVER_RUN);
            throw e;
        }
    }

    /// Ends a program and whatever it has started in its session's first process group. Does nothing when it has ended.
    void kill(Exec exec) {
        try {
            shim.kill(key(exec), Signal.KILL.number());
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "Killing exec {0}: {1}", exec.id, e.getMessage());
        }
    }

    void resize(Exec exec, int rows, int columns) throws IOException {
        if (!(exec.state() instanceof State.Running)) throw new Conflict("Exec " + exec.id + " is not running");
        shim.resize(key(exec), rows, columns);
    }

    /// Heard from the shim.
    void exited(ProcessKey process, ExitStatus status) {
        Exec exec = byId.get(process.execId().orElseThrow());
        if (exec != null) {
            exec.ended(status.code());
            events.publish(exec.container.record(), "exec_die",
                    Map.of("execID", exec.id, "exitCode", Integer.toString(status.code())));
        }
        try {
            shim.delete(process);
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "The shim does not forget exec {0}: {1}", process, e.getMessage());
        }
    }

    /// The ids of those that run, as inspect shows them.
    List<String> running(Container container) {
        return container.execs.stream().filter(id -> byId.get(id) instanceof Exec exec && exec.state() instanceof State.Running).toList();
    }

    void forgetAll(Container container) {
        for (String id : List.copyOf(container.execs)) forget(container, id);
    }

    private static ProcessKey key(Exec exec) {
        return ProcessKey.exec(exec.container.id().hex(), exec.id);
    }
}
