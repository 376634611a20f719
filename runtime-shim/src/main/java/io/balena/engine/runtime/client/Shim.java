package io.balena.engine.runtime.client;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.ContainerState;
import io.balena.engine.runtime.ExitStatus;
import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.Stdio;
import io.balena.engine.runtime.wire.Message;
import io.balena.engine.runtime.wire.Protocol;
import io.balena.engine.runtime.wire.Protocol.Tag;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/// The daemon's side of the shim: one process that owns all containers and outlives the daemon.
///
/// Methods block and may be called by many (virtual) threads at once. When the shim has died, they fail, the containers go on, and
/// a new shim that adopts them is started at once. Containers that ended in between, and all execs, are reported by
/// [ShimEvent.Exited] with an exit code that is not known.
///
/// An engine without containers has no shim: the first container brings one.
public final class Shim implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Shim.class.getName());
    private static final int MOST_IDLE_LINES = 4;
    private static final int RETRY_MILLIS = 1000;
    private static final long MOST_END_NANOS = 10_000_000_000L;
    private static final int SIGKILL = 9;

    private final ShimLauncher launcher;
    private final Consumer<ShimEvent> events;
    private final ArrayDeque<ShimLine> idle = new ArrayDeque<>();
    // Exits this daemon has heard of: a new shim repeats what is not deleted.
    private final Set<ProcessKey> heard = new HashSet<>();
    // Execs that run, and the pid of their shim: one that dies takes the knowledge of them with it.
    private final Map<ProcessKey, Integer> execs = new HashMap<>();
    private final SpareEnds spares = new SpareEnds();
    /// Held while the first shim is looked for or started.
    private final Object beginning = new Object();
    private volatile boolean begun;
    private ShimLine subscription;
    private volatile boolean closed;

    private Shim(ShimLauncher launcher, Consumer<ShimEvent> events) {
        this.launcher = launcher;
        this.events = events;
    }

    /// Connects to the shim of `execRoot`, if there is one. Starts one at once if an earlier one left containers to be adopted, else when
    /// it is first needed.
    ///
    /// @param execRoot e.g. `/run/balena-engine`; holds the socket and the runtime state
    /// @param events called for everything that happens from now on, and for exits the last daemon has not acknowledged by `delete`;
    ///     on one thread, in order. An exit may be heard of before the call that started the process has returned.
    public static Shim connect(Path execRoot, ShimCommand command, Consumer<ShimEvent> events) throws IOException {
        Shim shim = new Shim(new ShimLauncher(execRoot, command), events);
        if (shim.launcher.hasOrNeedsOne()) shim.begin();
        return shim;
    }

    private void begin() throws IOException {
        if (begun) return;
        synchronized (beginning) {
            if (begun) return;
            if (closed) throw new IOException("the connection to the shim was closed");
            ShimLine line = subscribe();
            begun = true;
            for (Message entry : entries()) {
                if (entry.number(Tag.STATE) != Protocol.STOPPED) hold(entry.text(Tag.CONTAINER_ID), entry, line.shimPid());
            }
            // Not a virtual thread: it lives as long as the daemon, and its handlers may do anything.
            Thread.ofPlatform().name("shim events").daemon().start(() -> listen(line));
        }
    }

    /// All containers the shim has, also those that ended and were not deleted, by id.
    public Map<String, ContainerState> list() throws IOException {
        Map<String, ContainerState> containers = new LinkedHashMap<>();
        if (!begun) return containers;
        for (Message entry : entries()) {
            containers.put(entry.text(Tag.CONTAINER_ID), state(entry));
        }
        return containers;
    }

    /// Sets a container up, up to the point before its program starts. Its network namespace exists when this returns.
    ///
    /// @param bundle folder with an OCI `config.json`
    /// @return pid of its first process in the host's pid namespace
    /// @throws ContainerFailure when it cannot be set up; nothing is left behind
    public int create(String containerId, Path bundle, Stdio stdio) throws IOException {
        return create(containerId, bundle, stdio, Optional.empty());
    }

    /// As [#create(String, Path, Stdio)], by another runtime, which is then asked for everything that is done to the container.
    ///
    /// @param runtime empty for the shim's own
    public int create(String containerId, Path bundle, Stdio stdio, Optional<RuntimeCommand> runtime) throws IOException {
        forgetHeard(containerId);
        Message.Builder request = Message.of(Protocol.CREATE)
                .text(Tag.CONTAINER_ID, containerId)
                .text(Tag.BUNDLE, bundle.toAbsolutePath().toString());
        if (runtime.isPresent()) Protocol.withRuntime(request, runtime.get());
        var shim = new AtomicInteger();
        Message answer = ask(Protocol.withStdio(request, stdio), line -> shim.set(line.shimPid()));
        hold(containerId, answer, shim.get());
        return (int) answer.number(Tag.PID);
    }

    private List<Message> entries() throws IOException {
        return ask(Message.of(Protocol.LIST)).messages(Tag.CONTAINERS);
    }

    /// @param process says its pid, and the number of its terminal's master
    private void hold(String containerId, Message process, int shim) {
        int terminal = (int) process.number(Tag.TERMINAL);
        spares.hold(containerId, (int) process.number(Tag.PID));
        if (terminal != 0) spares.holdTerminal(containerId, shim, terminal);
    }

    /// Lets the program of a created container run. Returns when execve(2) has succeeded.
    ///
    /// @throws ContainerFailure when execve failed; the container is then stopped, to be deleted. No [ShimEvent.Exited] is sent.
    public void start(String containerId) throws IOException {
        ask(Message.of(Protocol.START).text(Tag.CONTAINER_ID, containerId));
    }

    /// Runs another program in a running container. Returns when execve(2) has succeeded.
    ///
    /// Output of an exec nobody is attached to is dropped: [#attach] comes first, for which the process need not exist yet.
    ///
    /// @param processJson the `process` object of the OCI runtime-spec
    /// @return its pid in the host's pid namespace
    public int exec(ProcessKey process, byte[] processJson, Stdio stdio) throws IOException {
        if (process.execId().isEmpty()) throw new IllegalArgumentException("not an exec: " + process);
        synchronized (heard) {
            heard.remove(process);
        }
        Message.Builder request = Protocol.withKey(Message.of(Protocol.EXEC), process).bytes(Tag.PROCESS_JSON, processJson);
        try {
            return (int) ask(Protocol.withStdio(request, stdio), line -> {
                synchronized (heard) {
                    execs.put(process, line.shimPid());
                }
            }).number(Tag.PID);
        } catch (IOException e) {
            synchronized (heard) {
                execs.remove(process);
            }
            throw e;
        }
    }

    /// Attaches to the streams of a process; before its start nothing is missed. To an exec one attaches before [#exec], to a
    /// container between [#create] and [#start], or at any time later.
    public AttachedStream attach(ProcessKey process, boolean stdin, boolean stdout, boolean stderr) throws IOException {
        begin();
        ShimLine line = launcher.connect();
        try {
            line.ask(Protocol.withKey(Message.of(Protocol.ATTACH), process)
                    .flag(Tag.STDIN, stdin)
                    .flag(Tag.STDOUT, stdout)
                    .flag(Tag.STDERR, stderr));
            return new ShimAttachedStream(line.channel());
        } catch (IOException e) {
            line.close();
            throw e;
        }
    }

    /// Does nothing for a process without a terminal.
    public void resize(ProcessKey process, int rows, int columns) throws IOException {
        ask(Protocol.withKey(Message.of(Protocol.RESIZE), process).number(Tag.ROWS, rows).number(Tag.COLUMNS, columns));
    }

    /// Sends a signal to a container's first process, or to an exec with what is left of its process group. A paused one gets it, even SIGKILL, when it is resumed.
    ///
    /// @param signal its Linux number
    /// @throws ContainerFailure `NO_SUCH_PROCESS` when it has ended
    public void kill(ProcessKey process, int signal) throws IOException {
        ask(Protocol.withKey(Message.of(Protocol.KILL), process).number(Tag.SIGNAL, signal));
    }

    public void pause(String containerId) throws IOException {
        ask(Message.of(Protocol.PAUSE).text(Tag.CONTAINER_ID, containerId));
    }

    public void resume(String containerId) throws IOException {
        ask(Message.of(Protocol.RESUME).text(Tag.CONTAINER_ID, containerId));
    }

    /// Changes the limits of a container that runs or is paused; what `resources` leave out stays.
    ///
    /// @param resourcesJson the `resources` object of the OCI runtime-spec
    /// @throws ContainerFailure when the kernel refuses one of them; then none has changed
    public void update(String containerId, byte[] resourcesJson) throws IOException {
        ask(Message.of(Protocol.UPDATE).text(Tag.CONTAINER_ID, containerId).bytes(Tag.RESOURCES_JSON, resourcesJson));
    }

    /// Forgets a stopped container or exec: its cgroups and runtime state are removed and its exit is acknowledged. Everything it
    /// wrote is in the log by then. Also ends and forgets a container that was created and never started. Does nothing for what is
    /// not there.
    ///
    /// @throws ContainerFailure when it is running
    public void delete(ProcessKey process) throws IOException {
        if (!begun) return;
        ask(Protocol.withKey(Message.of(Protocol.DELETE), process));
        forget(process);
    }

    /// As [#delete], of a container in whatever state: what runs in it is ended first, by SIGKILL, and that end awaited.
    ///
    /// @throws ContainerFailure when it does not end within ten seconds
    public void remove(String containerId) throws IOException {
        if (!begun) return;
        var process = ProcessKey.container(containerId);
        var version = new AtomicInteger();
        try {
            ask(Protocol.withKey(Message.of(Protocol.DELETE), process).flag(Tag.FORCE, true), line -> version.set(line.version()));
        } catch (ContainerFailure e) {
            if (version.get() >= Protocol.VERSION_OF_FORCE) throw e;
            endAndHear(process);
            ask(Protocol.withKey(Message.of(Protocol.DELETE), process));
        }
        forget(process);
    }

    /// What an older shim must be asked for step by step. Not for the thread that hears its events.
    private void endAndHear(ProcessKey process) throws IOException {
        try {
            kill(process, SIGKILL);
            resume(process.containerId()); // a paused one ends only then
        } catch (ContainerFailure e) {
            // It has ended meanwhile, or was not paused.
        }
        synchronized (heard) {
            try {
                for (long end = System.nanoTime() + MOST_END_NANOS, left; !heard.contains(process) && (left = end - System.nanoTime()) > 0; ) {
                    TimeUnit.NANOSECONDS.timedWait(heard, left);
                }
            } catch (InterruptedException e) {
                throw new InterruptedIOException("interrupted while a container was being ended");
            }
        }
    }

    private void forget(ProcessKey process) {
        if (process.execId().isEmpty()) {
            spares.release(process.containerId());
            forgetHeard(process.containerId());
        } else {
            synchronized (heard) {
                heard.remove(process);
            }
        }
    }

    /// Ends the connection; the shim and its containers go on.
    @Override
    public void close() {
        closed = true;
        spares.close();
        synchronized (idle) {
            if (subscription != null) subscription.close();
            for (ShimLine line : idle) line.close();
            idle.clear();
        }
    }

    /// Ends the shim process, if it has no containers.
    ///
    /// @throws ContainerFailure if it has some
    void endIfIdle() throws IOException {
        if (!begun) return;
        ask(Message.of(Protocol.LEAVE_IF_IDLE));
    }

    /// Pid of the shim process that is connected to; it is started if there is none.
    public int pid() throws IOException {
        begin();
        synchronized (idle) {
            return subscription.shimPid();
        }
    }

    private Message ask(Message.Builder request) throws IOException {
        return ask(request, _ -> {});
    }

    /// @param sending told of the line before anything is sent on it
    private Message ask(Message.Builder request, Consumer<ShimLine> sending) throws IOException {
        if (closed) throw new IOException("the connection to the shim was closed");
        begin();
        ShimLine line = send(request, sending);
        try {
            Message answer = line.answer();
            putBack(line);
            return answer;
        } catch (ContainerFailure e) {
            putBack(line); // an answer like any other
            throw e;
        } catch (IOException e) {
            line.close();
            throw new IOException("the shim has died: " + e.getMessage(), e);
        }
    }

    /// An idle line may lead to a shim that is no more; a fresh one does not.
    private ShimLine send(Message.Builder request, Consumer<ShimLine> sending) throws IOException {
        while (true) {
            ShimLine line = idleLine();
            boolean fresh = line == null;
            if (fresh) line = launcher.connect();
            sending.accept(line);
            try {
                line.send(request);
                return line;
            } catch (IOException e) {
                line.close();
                if (fresh) throw e;
            }
        }
    }

    private ShimLine idleLine() {
        synchronized (idle) {
            return idle.pollLast();
        }
    }

    private void putBack(ShimLine line) {
        synchronized (idle) {
            if (!closed && line.shimPid() == subscription.shimPid() && idle.size() < MOST_IDLE_LINES) {
                idle.add(line);
                return;
            }
        }
        line.close();
    }

    private ShimLine subscribe() throws IOException {
        ShimLine line = launcher.connect();
        try {
            line.ask(Message.of(Protocol.SUBSCRIBE));
        } catch (IOException e) {
            line.close();
            throw e;
        }
        synchronized (idle) {
            // Lines to a shim that is no more.
            for (ShimLine old : idle) old.close();
            idle.clear();
            subscription = line;
            if (closed) line.close();
        }
        return line;
    }

    private void listen(ShimLine first) {
        ShimLine line = first;
        while (!closed) {
            try {
                while (true) hearOrLog(line.next());
            } catch (IOException e) {
                line.close();
                if (closed) return;
                LOG.log(System.Logger.Level.WARNING, "lost the shim (pid {0}), starting another: {1}", line.shimPid(), e.getMessage());
            }
            line = subscribeAgain(line);
        }
    }

    private ShimLine subscribeAgain(ShimLine lost) {
        while (!closed) {
            try {
                ShimLine line = subscribe();
                LOG.log(System.Logger.Level.INFO, "containers were adopted by shim with pid {0}", line.shimPid());
                if (line.shimPid() != lost.shimPid()) {
                    handOver();
                    reportLostExecs(lost.shimPid());
                }
                return line;
            } catch (IOException e) {
                LOG.log(System.Logger.Level.ERROR, "no shim can be started", e);
                try {
                    Thread.sleep(RETRY_MILLIS);
                } catch (InterruptedException interrupted) {
                    return lost;
                }
            }
        }
        return lost;
    }

    /// One report that cannot be dealt with must not keep all others from being heard.
    private void hearOrLog(Message message) {
        try {
            hear(message);
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "a report of the shim is lost", e);
        }
    }

    private void hear(Message message) {
        ShimEvent event;
        switch (message.kind()) {
            case Protocol.EXITED -> {
                ProcessKey process = Protocol.key(message);
                ExitStatus status = withCode(process, Protocol.status(message));
                if (process.execId().isEmpty()) spares.release(process.containerId());
                synchronized (heard) {
                    execs.remove(process);
                    if (!heard.add(process)) return;
                    heard.notifyAll();
                }
                event = new ShimEvent.Exited(process, status);
            }
            case Protocol.OUT_OF_MEMORY -> event = new ShimEvent.OutOfMemory(message.text(Tag.CONTAINER_ID));
            default -> {
                return; // of a newer shim
            }
        }
        tell(event);
    }

    /// What a shim cannot know of a process that an earlier one made, we may be able to find out.
    private ExitStatus withCode(ProcessKey process, ExitStatus status) {
        if (status.known() || process.execId().isPresent()) return status;
        OptionalInt code = spares.exitCode(process.containerId());
        return code.isEmpty() ? status : new ExitStatus(code.getAsInt(), true, status.oomKilled(), status.at());
    }

    /// Before anybody hears of the ends of containers: what they said last is logged by then.
    private void handOver() {
        for (Map.Entry<String, Message.Builder> adoption : spares.handOver().entrySet()) {
            try {
                ask(adoption.getValue());
            } catch (IOException e) {
                LOG.log(System.Logger.Level.WARNING, "of the output of container {0} something may be missing: {1}", adoption.getKey(), e.getMessage());
            }
        }
    }

    /// Containers are adopted by the next shim; execs are not, and nobody will ever know how they end.
    private void reportLostExecs(int shim) {
        List<ProcessKey> lost;
        synchronized (heard) {
            lost = execs.entrySet().stream().filter(exec -> exec.getValue() == shim).map(Map.Entry::getKey).toList();
            lost.forEach(execs::remove);
            heard.addAll(lost);
        }
        for (ProcessKey process : lost) tell(new ShimEvent.Exited(process, new ExitStatus(255, false, false, Instant.now())));
    }

    private void tell(ShimEvent event) {
        try {
            events.accept(event);
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "handling " + event, e);
        }
    }

    private void forgetHeard(String containerId) {
        synchronized (heard) {
            heard.removeIf(process -> process.containerId().equals(containerId));
        }
    }

    private static ContainerState state(Message entry) {
        int pid = (int) entry.number(Tag.PID);
        Instant time = Protocol.time(entry);
        return switch ((int) entry.number(Tag.STATE)) {
            case Protocol.CREATED -> new ContainerState.Created(pid);
            case Protocol.PAUSED -> new ContainerState.Paused(pid, time);
            case Protocol.STOPPED -> new ContainerState.Stopped(Protocol.status(entry));
            default -> new ContainerState.Running(pid, time);
        };
    }
}
