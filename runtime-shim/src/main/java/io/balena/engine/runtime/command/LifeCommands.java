package io.balena.engine.runtime.command;

import io.balena.engine.linux.PidFd;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.container.Container;
import io.balena.engine.runtime.container.ContainerStatus;
import io.balena.engine.runtime.container.Creation;
import io.balena.engine.runtime.container.OciRuntime;
import io.balena.engine.runtime.process.ContainerProcess;
import io.balena.engine.runtime.spec.TerminalRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// `create`, `run`, `start`, `kill`, `delete`.
final class LifeCommands {
    private static final int SIGKILL = 9;

    private final OciRuntime runtime;
    private final CommandLog log;

    LifeCommands(OciRuntime runtime, CommandLog log) {
        this.runtime = runtime;
        this.log = log;
    }

    int perform(CommandVerb verb, CommandWords words) throws IOException {
        String id = words.arguments().getFirst();
        return switch (verb) {
            case CREATE -> {
                create(id, words, true);
                yield 0;
            }
            case RUN -> run(id, words);
            case START -> {
                runtime.known(id).start();
                yield 0;
            }
            case KILL -> kill(id, words);
            default -> delete(id, words.has("force"));
        };
    }

    private record Made(ContainerProcess process, CommandStreams streams) {}

    private Made create(String id, CommandWords words, boolean detached) throws IOException {
        if (id.isEmpty()) throw failure("container id cannot be empty");
        if (words.has("no-pivot")) throw failure("--no-pivot is not supported: a container's root is always pivoted to");
        Path bundle = Path.of(words.value("bundle", "")).toAbsolutePath().normalize();
        if (!Files.isDirectory(bundle)) throw failure("chdir " + bundle + ": no such file or directory");
        var terminal = TerminalRequest.of(OciRuntime.readConfig(bundle));
        int inherited = InheritedDescriptors.count(words);
        var streams = CommandStreams.prepare(terminal.wanted(), detached, words.value("console-socket"), terminal);
        var creation = new Creation(true, !words.has("no-new-keyring"), inherited);
        var process = runtime.create(id, bundle, streams.childs(), creation);
        try {
            streams.made(process);
            PidFile.write(words.value("pid-file"), process.pidFd().pid());
        } catch (IOException | RuntimeException e) {
            streams.close();
            remove(id);
            throw e;
        }
        return new Made(process, streams);
    }

    private int run(String id, CommandWords words) throws IOException {
        boolean detached = words.has("detach");
        var made = create(id, words, detached);
        int code;
        try (var streams = made.streams(); var process = made.process().pidFd()) {
            try {
                if (!detached) streams.attach(process);
                runtime.start(id);
            } catch (IOException | RuntimeException e) {
                remove(id);
                throw e;
            }
            if (detached) return 0;
            code = streams.await(process);
        }
        if (!words.has("keep")) remove(id);
        return code;
    }

    /// What is wrong with a hook after the end changes nothing any more.
    private void remove(String id) throws IOException {
        runtime.dispose(id).ifPresent(failure -> log.error(failure.getMessage()));
    }

    private int kill(String id, CommandWords words) throws IOException {
        var container = runtime.known(id);
        int signal = Signals.number(words.arguments().size() > 1 ? words.arguments().get(1) : "SIGTERM");
        if (words.has("all")) {
            for (int pid : container.cgroup().members()) {
                try (var process = PidFd.open(pid)) {
                    process.signal(signal);
                } catch (IOException _) {
                    // it has ended
                }
            }
            return 0;
        }
        var status = container.status();
        Optional<PidFd> open = container.process().open();
        if (status == ContainerStatus.STOPPED || open.isEmpty()) throw failure("container not running");
        try (var process = open.get()) {
            // One that waits for its start has all signals blocked, but is to end by those that end programs.
            boolean fatal = status == ContainerStatus.CREATED && Signals.endsPrograms(signal);
            process.signal(fatal ? SIGKILL : signal);
        }
        return 0;
    }

    private int delete(String id, boolean force) throws IOException {
        Optional<Container> known = runtime.find(id);
        if (known.isEmpty()) {
            // What a creation that was killed has left.
            boolean left = runtime.forget(id);
            if (left || force) return 0;
            throw failure("container does not exist");
        }
        var status = known.get().status();
        boolean allowed = force || status == ContainerStatus.STOPPED || status == ContainerStatus.CREATED;
        if (!allowed) throw failure("cannot delete container " + id + " that is not stopped: " + status);
        remove(id);
        return 0;
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
