package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.PidFd;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.container.ContainerRuntime;
import io.balena.engine.runtime.external.ExternalRuntime;
import io.balena.engine.runtime.log.LogSink;
import io.balena.engine.runtime.log.Logs;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.loop.Workers;
import io.balena.engine.runtime.process.ContainerProcess;
import io.balena.engine.runtime.spec.SpecReader;
import io.balena.engine.runtime.stream.Connection;
import io.balena.engine.runtime.stream.ProcessStreams;
import io.balena.engine.runtime.stream.ShimBuffers;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/// All containers of the shim and what can be done to them. Lives on the loop's thread; the runtime's work is done by workers.
final class OwnedContainers implements OwnedProcess.Listener, Orphans.Owners {
    private static final int SIGKILL = 9;
    /// After this a forced deletion fails: a process in an uninterruptible sleep may never end.
    private static final int MOST_END_MILLIS = 10_000;

    private final Runtimes runtimes;
    private final ExitRecord exits;
    private final StreamsRecord pipes;
    private final EventLoop loop;
    private final Workers workers;
    private final ShimBuffers buffers;
    private final Logs logs;
    private final Subscribers subscribers;
    private final Diagnostics diagnostics;
    private final Orphans orphans;
    private final Adoption adoption;
    private final Map<String, OwnedContainer> containers = new LinkedHashMap<>();

    OwnedContainers(
            Path stateRoot,
            EventLoop loop,
            Workers workers,
            ShimBuffers buffers,
            Subscribers subscribers,
            Diagnostics diagnostics) {
        this.runtimes = new Runtimes(stateRoot);
        this.exits = new ExitRecord(stateRoot.toFile());
        this.pipes = new StreamsRecord(stateRoot.toFile());
        this.loop = loop;
        this.workers = workers;
        this.buffers = buffers;
        this.logs = new Logs(buffers.outbound(), buffers.text(), loop, workers, diagnostics);
        this.subscribers = subscribers;
        this.diagnostics = diagnostics;
        this.orphans = new Orphans(this, loop, workers, diagnostics);
        this.adoption = new Adoption(pipes, logs, buffers, loop, diagnostics);
    }

    /// Takes over what an earlier shim left: the living, whose exit codes will stay unknown, and the records of the dead.
    void adopt(File stateRoot) throws IOException {
        Map<String, ContainerProcess> living = runtimes.recover();
        for (Map.Entry<String, ContainerProcess> found : living.entrySet()) {
            OwnedContainer container = add(found.getKey(), runtimes.of(found.getKey()));
            container.phase = OwnedContainer.Phase.RUNNING;
            adoption.reopen(container.first(), found.getValue().pidFd().pid());
            container.first().made(found.getValue().pidFd(), StartTime.of(found.getValue().pidFd().pid()), this);
            try {
                container.runtime().watchOutOfMemory(found.getKey()).ifPresent(container.memory()::begin);
            } catch (IOException e) {
                diagnostics.error("cannot watch the memory of " + found.getKey(), e);
            }
        }
        String[] names = stateRoot.list();
        for (int i = 0; names != null && i < names.length; i++) {
            if (living.containsKey(names[i]) || !new File(stateRoot, names[i]).isDirectory()) continue;
            ExitStatus unknown = new ExitStatus(255, false, false, Instant.now());
            add(names[i], runtimes.of(names[i])).first().madeAndEnded(exits.load(names[i]).orElse(unknown));
        }
        if (!containers.isEmpty()) diagnostics.info("adopted " + living.size() + " running of " + containers.size() + " containers");
        orphans.lookLater();
    }

    boolean isEmpty() {
        return containers.isEmpty();
    }

    /// Some process would lose its parent if the shim ended now.
    boolean anyAlive() {
        for (OwnedContainer container : containers.values()) {
            if (container.first().status().isEmpty()) return true;
        }
        return false;
    }

    void list(Reply reply) {
        Message.Builder result = Message.of(Protocol.DONE);
        for (OwnedContainer container : containers.values()) {
            OwnedProcess first = container.first();
            Message.Builder entry = Message.of(Protocol.CONTAINER).text(Protocol.Tag.CONTAINER_ID, container.id());
            if (first.status().isPresent()) {
                Protocol.withStatus(entry.number(Protocol.Tag.STATE, Protocol.STOPPED), first.status().get());
            } else if (container.phase != OwnedContainer.Phase.CREATING) {
                int state = switch (container.phase) {
                    case PAUSED -> Protocol.PAUSED;
                    case RUNNING -> Protocol.RUNNING;
                    default -> Protocol.CREATED;
                };
                Protocol.withTime(entry.number(Protocol.Tag.STATE, state).number(Protocol.Tag.PID, first.pid()), first.since());
                withTerminal(entry, first);
            } else {
                continue;
            }
            result.message(Protocol.Tag.CONTAINERS, entry);
        }
        reply.done(result);
    }

    void create(String id, Path bundle, Stdio stdio, Optional<RuntimeCommand> runtime, Reply reply) {
        if (!ContainerId.isValid(id)) {
            reply.failed(ContainerFailure.Kind.SETUP, "invalid container id: " + id);
            return;
        }
        if (containers.containsKey(id)) {
            reply.failed(ContainerFailure.Kind.SETUP, "container with id exists: " + id);
            return;
        }
        Optional<LogSink> log;
        try {
            log = logs.open(stdio.log());
        } catch (IOException e) {
            reply.failed(ContainerFailure.Kind.LOGGING, "failed to initialize logging driver: " + e.getMessage());
            return;
        }
        OwnedContainer container = add(id, runtimes.named(runtime));
        var maker = new ProcessMaker(container.runtime());
        container.inTurn(() -> workers.run(() -> maker.create(id, bundle, stdio.stdin()), new Workers.Outcome<>() {
            @Override
            public void succeeded(ProcessMaker.Made made) {
                open(container.first(), made, stdio, log);
                remember(id, made.streams(), stdio);
                container.phase = OwnedContainer.Phase.CREATED;
                made.outOfMemory().ifPresent(container.memory()::begin);
                Message.Builder answer = Message.of(Protocol.DONE).number(Protocol.Tag.PID, container.first().pid());
                reply.done(withTerminal(answer, container.first()));
                container.next();
                orphans.lookLater();
            }

            @Override
            public void failed(Throwable cause) {
                containers.remove(id);
                if (log.isPresent()) log.get().close(() -> {});
                container.first().close();
                reply.failed(cause);
                container.next();
            }
        }));
    }

    void start(String id, Reply reply) {
        OwnedContainer container = containers.get(id);
        if (isMissing(container, id, reply)) return;
        container.inTurn(() -> {
            if (container.phase != OwnedContainer.Phase.CREATED || container.first().status().isPresent()) {
                reply.failed(ContainerFailure.Kind.NO_SUCH_PROCESS, "cannot start a container that has stopped or been started");
                container.next();
                return;
            }
            runInTurn(container, () -> container.runtime().start(id), reply, () -> {
                container.phase = OwnedContainer.Phase.RUNNING;
                container.first().started(Instant.now());
            });
        });
    }

    void pause(String id, Reply reply) {
        OwnedContainer container = containers.get(id);
        if (isMissing(container, id, reply)) return;
        container.inTurn(() ->
                runInTurn(container, () -> container.runtime().pause(id), reply, () -> container.phase = OwnedContainer.Phase.PAUSED));
    }

    void resume(String id, Reply reply) {
        OwnedContainer container = containers.get(id);
        if (isMissing(container, id, reply)) return;
        container.inTurn(() ->
                runInTurn(container, () -> container.runtime().resume(id), reply, () -> container.phase = OwnedContainer.Phase.RUNNING));
    }

    void update(String id, byte[] resourcesJson, Reply reply) {
        OwnedContainer container = containers.get(id);
        if (isMissing(container, id, reply)) return;
        container.inTurn(() -> runInTurn(container, () -> container.runtime().update(id, SpecReader.resources(resourcesJson)), reply, () -> {}));
    }

    void exec(ProcessKey key, byte[] processJson, Stdio stdio, Reply reply) {
        OwnedContainer container = containers.get(key.containerId());
        if (isMissing(container, key.containerId(), reply)) return;
        OwnedProcess process = expected(container, key);
        if (process == null) {
            reply.failed(ContainerFailure.Kind.SETUP, "exec with id exists: " + key.execId().orElseThrow());
            return;
        }
        process.claim();
        container.inTurn(() -> {
            if (container.first().status().isPresent()) {
                forget(container, process);
                reply.failed(ContainerFailure.Kind.NO_SUCH_PROCESS, "container " + container.id() + " is not running");
                container.next();
                return;
            }
            var maker = new ProcessMaker(container.runtime());
            workers.run(() -> maker.exec(container.id(), processJson, stdio.stdin()), new Workers.Outcome<>() {
                @Override
                public void succeeded(ProcessMaker.Made made) {
                    open(process, made, stdio, Optional.empty());
                    reply.done(Message.of(Protocol.DONE).number(Protocol.Tag.PID, process.pid()));
                    container.next();
                }

                @Override
                public void failed(Throwable cause) {
                    forget(container, process);
                    reply.failed(cause);
                    container.next();
                }
            });
        });
    }

    private static Message.Builder withTerminal(Message.Builder message, OwnedProcess process) {
        Optional<Fd> master = process.streams().terminal();
        return master.isPresent() ? message.number(Protocol.Tag.TERMINAL, master.get().number()) : message;
    }

    void adopt(String id, Message kept, Reply reply) {
        OwnedContainer container = containers.get(id);
        if (!isMissing(container, id, reply)) adoption.goOn(container.first(), kept, reply);
    }

    /// Finds the streams a client wants to be attached to. An exec may be attached to before it is made, so that nothing it says
    /// is missed.
    Optional<ProcessStreams> streams(ProcessKey key) {
        OwnedContainer container = containers.get(key.containerId());
        if (container == null) return Optional.empty();
        if (key.execId().isEmpty()) return Optional.of(container.first().streams());
        OwnedProcess process = container.execs().get(key.execId().get());
        if (process == null && container.first().status().isPresent()) return Optional.empty();
        return Optional.of((process == null ? expected(container, key) : process).streams());
    }

    void resize(ProcessKey key, int rows, int columns, Reply reply) {
        OwnedProcess process = find(key);
        if (process == null) {
            reply.failed(ContainerFailure.Kind.NO_SUCH_PROCESS, "no such process: " + key);
            return;
        }
        try {
            process.streams().resize(rows, columns);
            reply.done();
        } catch (IOException e) {
            reply.failed(e);
        }
    }

    void kill(ProcessKey key, int signal, Reply reply) {
        OwnedProcess process = find(key);
        try {
            if (process == null || process.pidFd().isEmpty() || process.status().isPresent()) {
                reply.failed(ContainerFailure.Kind.NO_SUCH_PROCESS, "process already finished");
                return;
            }
            if (key.execId().isEmpty() && containers.get(key.containerId()).runtime() instanceof ExternalRuntime other) {
                signal(other, process, signal, reply);
                return;
            }
            if (key.execId().isEmpty()) process.signal(signal);
            else if (process.isWatched()) process.signalGroup(signal); // not after it was reaped: its number may be another's
            reply.done();
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ESRCH) reply.failed(ContainerFailure.Kind.NO_SUCH_PROCESS, "process already finished");
            else reply.failed(e);
        } catch (IOException e) {
            reply.failed(e);
        }
    }

    /// What another runtime has made may be more than the process it names, a machine for instance. Asking it takes time.
    private void signal(ExternalRuntime runtime, OwnedProcess process, int signal, Reply reply) {
        PidFd first = process.pidFd().orElseThrow();
        workers.run(
                () -> {
                    runtime.kill(process.key().containerId(), first, signal);
                    return null;
                },
                answering(reply, () -> {}));
    }

    /// @param force whether a container that runs is to be ended first
    void delete(ProcessKey key, boolean force, Reply reply) {
        OwnedContainer container = containers.get(key.containerId());
        if (key.execId().isPresent()) {
            OwnedProcess process = find(key);
            if (process != null && process.status().isEmpty()) {
                reply.failed(ContainerFailure.Kind.SETUP, "exec " + key.execId().get() + " is still running");
                return;
            }
            if (process != null) forget(container, process);
            reply.done();
        } else if (container == null) {
            // Perhaps known to the runtime alone. It is gone afterwards in any case, which is what was asked for.
            if (!ContainerId.isValid(key.containerId())) reply.done();
            else workers.run(() -> remove(runtimes.of(key.containerId()), key.containerId()), answering(reply, () -> {}));
        } else {
            container.inTurn(() -> {
                boolean ran = container.phase == OwnedContainer.Phase.RUNNING || container.phase == OwnedContainer.Phase.PAUSED;
                if (container.first().status().isEmpty() && ran) {
                    if (force) {
                        endThenDelete(container, reply);
                    } else {
                        reply.failed(ContainerFailure.Kind.SETUP, "cannot delete container " + container.id() + " that is running");
                        container.next();
                    }
                    return;
                }
                container.memory().end(); // the removal of a cgroup looks like an event
                runInTurn(container, () -> remove(container.runtime(), container.id()), reply, () -> discard(container));
            });
        }
    }

    private void endThenDelete(OwnedContainer container, Reply reply) {
        Runnable delete = () -> delete(container.first().key(), false, reply);
        container.whenEnded(delete);
        loop.after(MOST_END_MILLIS, () -> {
            if (container.stopsExpecting(delete)) {
                reply.failed(ContainerFailure.Kind.SETUP, "container " + container.id() + " did not end within " + MOST_END_MILLIS / 1000 + " s");
            }
        });
        workers.run(
                () -> {
                    killAll(container);
                    return null;
                },
                new Workers.Outcome<>() {
                    @Override
                    public void succeeded(Object nothing) {
                        container.next();
                    }

                    @Override
                    public void failed(Throwable cause) {
                        if (container.stopsExpecting(delete)) reply.failed(cause);
                        container.next();
                    }
                });
    }

    /// Another runtime's program may be gone; then it is the first process alone that we know.
    private static void killAll(OwnedContainer container) throws IOException {
        try {
            container.runtime().killAll(container.id());
        } catch (IOException e) {
            try {
                container.first().signal(SIGKILL);
            } catch (ErrnoException ended) {
                if (ended.errno() != Errno.ESRCH) throw e;
            }
        }
    }

    /// Tells a new subscriber what an earlier one has not acknowledged by deleting it.
    void replay(Connection connection) {
        for (OwnedContainer container : containers.values()) {
            for (OwnedProcess exec : container.execs().values()) replay(exec, connection);
            replay(container.first(), connection);
        }
    }

    private static void replay(OwnedProcess process, Connection connection) {
        if (process.status().isPresent()) connection.send(Subscribers.exit(process.key(), process.status().get()));
    }

    private OwnedContainer add(String id, ContainerRuntime runtime) {
        OwnedProcess first = new OwnedProcess(ProcessKey.container(id), new ProcessStreams(buffers, loop), loop);
        MemoryWatch memory = new MemoryWatch(id, runtime, loop, buffers.inbound(), subscribers, diagnostics);
        OwnedContainer container = new OwnedContainer(id, runtime, first, memory);
        containers.put(id, container);
        return container;
    }

    /// An exec that is, or will be, made; null when there already is one of this name.
    private OwnedProcess expected(OwnedContainer container, ProcessKey key) {
        String execId = key.execId().orElseThrow();
        OwnedProcess process = container.execs().get(execId);
        if (process != null) return process.isClaimed() ? null : process;
        ProcessStreams streams = new ProcessStreams(buffers, loop);
        OwnedProcess expected = new OwnedProcess(key, streams, loop);
        streams.whenLastClientLeaves(() -> {
            if (!expected.isClaimed()) container.execs().remove(execId);
        });
        container.execs().put(execId, expected);
        return expected;
    }

    private OwnedProcess find(ProcessKey key) {
        OwnedContainer container = containers.get(key.containerId());
        if (container == null) return null;
        return key.execId().isEmpty() ? container.first() : container.execs().get(key.execId().get());
    }

    private void open(OwnedProcess process, ProcessMaker.Made made, Stdio stdio, Optional<LogSink> log) {
        switch (made.streams()) {
            case ProcessMaker.Streams.Pipes(Optional<Fd> stdin, Fd stdout, Fd stderr) ->
                    process.streams().openPipes(stdin, stdout, stderr, log, stdio.stdinOnce());
            case ProcessMaker.Streams.Terminal(Fd master, Fd input, Fd slave) ->
                    process.streams().openTerminal(master, input, slave, log);
        }
        process.made(made.process().pidFd(), Instant.now(), this);
    }

    private void remember(String id, ProcessMaker.Streams streams, Stdio stdio) {
        try {
            switch (streams) {
                case ProcessMaker.Streams.Pipes(Optional<Fd> stdin, Fd stdout, Fd stderr) -> pipes.save(id, stdio, stdin, stdout, stderr);
                case ProcessMaker.Streams.Terminal _ -> pipes.save(id, stdio);
            }
        } catch (IOException e) {
            diagnostics.error("another shim could not go on logging " + id, e);
        }
    }

    /// Where the pid namespace is the container's own, the kernel has ended all others with the first process. Elsewhere it is up to us,
    /// or the container would seem to run on.
    @Override
    public void outlived(OwnedProcess process) {
        String id = process.key().containerId();
        OwnedContainer container = containers.get(id);
        if (container == null || process != container.first()) return;
        workers.run(
                () -> {
                    container.runtime().killAll(id);
                    return null;
                },
                new Workers.Outcome<>() {
                    @Override
                    public void succeeded(Object nothing) {}

                    @Override
                    public void failed(Throwable cause) {
                        diagnostics.error("cannot end what is left of " + id, cause);
                    }
                });
    }

    @Override
    public void ended(OwnedProcess process, OptionalInt code, Instant at) {
        OwnedContainer container = containers.get(process.key().containerId());
        if (container == null) return;
        // After the answer to whoever made or started it just now.
        container.inTurn(() -> {
            record(container, process, code, at);
            container.next();
        });
        orphans.lookSoon();
    }

    private void record(OwnedContainer container, OwnedProcess process, OptionalInt code, Instant at) {
        boolean first = process == container.first();
        if (first) container.memory().count();
        boolean oomKilled = container.memory().anyKilled();
        ExitStatus status = new ExitStatus(code.orElse(255), code.isPresent(), oomKilled, at);
        process.ended(status);
        if (first) {
            container.memory().end();
            try {
                exits.save(container.id(), status);
            } catch (IOException e) {
                diagnostics.error("cannot keep the exit of " + container.id(), e);
            }
        }
        // Whose start failed was told so by its answer.
        if (!first || container.phase != OwnedContainer.Phase.FAILED) subscribers.exited(process.key(), status);
        if (first) container.ended();
    }

    private interface RuntimeCall {
        void run() throws IOException;
    }

    private void runInTurn(OwnedContainer container, RuntimeCall call, Reply reply, Runnable afterwards) {
        workers.run(
                () -> {
                    call.run();
                    return null;
                },
                answering(
                        new Reply() {
                            @Override
                            public void done(Message.Builder result) {
                                reply.done(result);
                                container.next();
                            }

                            @Override
                            public void failed(ContainerFailure failure) {
                                if (container.phase == OwnedContainer.Phase.CREATED) container.phase = OwnedContainer.Phase.FAILED;
                                reply.failed(failure);
                                container.next();
                            }
                        },
                        afterwards));
    }

    private static Workers.Outcome<Object> answering(Reply reply, Runnable afterwards) {
        return new Workers.Outcome<>() {
            @Override
            public void succeeded(Object nothing) {
                afterwards.run();
                reply.done();
            }

            @Override
            public void failed(Throwable cause) {
                reply.failed(cause);
            }
        };
    }

    private Object remove(ContainerRuntime runtime, String id) throws IOException {
        exits.delete(id);
        pipes.delete(id);
        runtime.delete(id);
        return null;
    }

    private void discard(OwnedContainer container) {
        containers.remove(container.id());
        container.memory().end();
        container.first().close();
        List<OwnedProcess> execs = new ArrayList<>(container.execs().values());
        container.execs().clear();
        for (int i = 0; i < execs.size(); i++) execs.get(i).close();
        orphans.lookIn(100); // its killed processes among them
    }

    private static void forget(OwnedContainer container, OwnedProcess exec) {
        container.execs().remove(exec.key().execId().orElseThrow());
        exec.close();
    }

    private static boolean isMissing(OwnedContainer container, String id, Reply reply) {
        if (container != null) return false;
        reply.failed(ContainerFailure.Kind.NO_SUCH_PROCESS, "container does not exist: " + id);
        return true;
    }

    @Override
    public boolean haveAny() {
        return !containers.isEmpty();
    }

    @Override
    public OwnedProcess owner(int pid) {
        for (OwnedContainer container : containers.values()) {
            if (isAlive(container.first(), pid)) return container.first();
            for (OwnedProcess exec : container.execs().values()) {
                if (isAlive(exec, pid)) return exec;
            }
        }
        return null;
    }

    private static boolean isAlive(OwnedProcess process, int pid) {
        return process.isWatched() && process.pid() == pid;
    }
}
