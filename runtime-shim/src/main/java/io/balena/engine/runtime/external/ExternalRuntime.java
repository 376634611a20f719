package io.balena.engine.runtime.external;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.KernelFile;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.ProcessId;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.RuntimeCommand;
import io.balena.engine.runtime.cgroup.Cgroup;
import io.balena.engine.runtime.cgroup.CgroupFiles;
import io.balena.engine.runtime.cgroup.Hierarchies;
import io.balena.engine.runtime.container.ContainerRuntime;
import io.balena.engine.runtime.container.OciRuntime;
import io.balena.engine.runtime.container.StateFile;
import io.balena.engine.runtime.process.ContainerProcess;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.SpecReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// Another OCI runtime, run as a program: `runc`, `crun` and what has their command line. For one container.
///
/// What it makes becomes the shim's when the program has ended, since the shim is a reaper of orphans; from then on the shim watches
/// over it as over its own.
///
/// @see <a href="https://github.com/opencontainers/runc/blob/v1.1.5/man/runc.8.md">runc(8)</a>
public final class ExternalRuntime implements ContainerRuntime {
    private static final int SIGKILL = 9;

    private final Path stateRoot;
    private final RuntimeCommand command;
    private Optional<Cgroup> cgroup = Optional.empty();

    public ExternalRuntime(Path stateRoot, RuntimeCommand command) {
        this.stateRoot = stateRoot;
        this.command = command;
    }

    @Override
    public ContainerProcess create(String id, Path bundle, StandardStreams streams) throws IOException {
        RuntimeSpec spec = SpecReader.spec(OciRuntime.readConfig(bundle));
        StateFile.reserve(stateRoot, id);
        try {
            String path = spec.linux() == null || spec.linux().cgroupsPath() == null ? "" : spec.linux().cgroupsPath();
            ExternalState.of(stateRoot, id).create(command, Optional.of(path).filter(cgroup -> cgroup.startsWith("/")));
            try (var call = call(id, isUnitName(path) ? List.of("--systemd-cgroup") : List.of())) {
                return remembered(id, bundle, make(call, List.of("create", "--bundle", bundle.toString()), id, streams));
            }
        } catch (ContainerFailure e) {
            undo(id, e);
            throw classified(e, spec.process());
        } catch (IOException | RuntimeException e) {
            undo(id, e);
            throw e;
        }
    }

    private ContainerProcess remembered(String id, Path bundle, ContainerProcess made) throws IOException {
        int pid = made.pidFd().pid();
        try {
            ProcessId process = ProcessId.of(pid).orElseThrow(() -> new IOException("the runtime's process " + pid + " is gone"));
            new StateFile(id, process, bundle, cgroupOf(pid)).write(stateRoot);
            return made;
        } catch (IOException e) {
            made.pidFd().close();
            if (made.terminal().isPresent()) made.terminal().get().close();
            throw e;
        }
    }

    /// `slice:prefix:name`, as the systemd driver wants it.
    private static boolean isUnitName(String cgroupsPath) {
        return !cgroupsPath.startsWith("/") && cgroupsPath.split(":", -1).length == 3;
    }

    private void undo(String id, Exception why) {
        try {
            delete(id);
        } catch (IOException e) {
            why.addSuppressed(e);
        }
    }

    @Override
    public void start(String id) throws IOException {
        run(id, "start", id);
    }

    @Override
    public ContainerProcess exec(String id, byte[] processJson, StandardStreams streams) throws IOException {
        try (var call = call(id, List.of())) {
            Path process = Files.write(call.file("process.json"), processJson);
            return make(call, List.of("exec", "--detach", "--process", process.toString()), id, streams);
        } catch (ContainerFailure e) {
            throw classified(e, SpecReader.process(processJson));
        }
    }

    private ContainerProcess make(ExternalCall call, List<String> verb, String id, StandardStreams streams) throws IOException {
        Path pidFile = call.file("pid");
        List<String> words = new ArrayList<>(verb);
        words.addAll(List.of("--pid-file", pidFile.toString()));
        return switch (streams) {
            case StandardStreams.Pipes pipes -> {
                words.add(id);
                call.run(words, pipes);
                yield new ContainerProcess(process(pidFile), Optional.empty());
            }
            case StandardStreams.Terminal _ -> {
                try (var console = new ConsoleSocket(stateRoot)) {
                    words.addAll(List.of("--console-socket", console.path().toString(), id));
                    call.run(words);
                    yield new ContainerProcess(process(pidFile), Optional.of(console.master()));
                }
            }
        };
    }

    /// Its parent has ended, so it is ours: until we reap it, the number is its own.
    private static PidFd process(Path pidFile) throws IOException {
        String pid = Files.exists(pidFile) ? Files.readString(pidFile).strip() : "";
        try {
            return PidFd.open(Integer.parseInt(pid));
        } catch (NumberFormatException e) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "the runtime has named no process: \"" + pid + "\"", true);
        }
    }

    @Override
    public void pause(String id) throws IOException {
        run(id, "pause", id);
    }

    @Override
    public void resume(String id) throws IOException {
        run(id, "resume", id);
    }

    /// Not by the runtime's own `update`: not all have one, and none undoes what it did before the kernel refused.
    @Override
    public void update(String id, RuntimeSpec.Resources resources) throws IOException {
        Cgroup group = cgroup(id).orElseThrow(() -> new ContainerFailure(
                ContainerFailure.Kind.SETUP, "the runtime has made no control group for container " + id));
        group.update(resources);
    }

    /// Sends a signal to the container's first process.
    ///
    /// @param first taken at its word when the runtime does not do it: nothing must keep a container from being killed
    /// @throws ContainerFailure `NO_SUCH_PROCESS` when it has ended
    public void kill(String id, PidFd first, int signal) throws IOException {
        try {
            run(id, "kill", id, Integer.toString(signal));
        } catch (IOException e) {
            if (first.awaitEnded(0)) throw new ContainerFailure(ContainerFailure.Kind.NO_SUCH_PROCESS, "process already finished");
            if (signal != SIGKILL) throw e;
            first.signal(SIGKILL);
        }
    }

    @Override
    public void killAll(String id) throws IOException {
        run(id, "kill", "--all", id, Integer.toString(SIGKILL));
    }

    @Override
    public void delete(String id) throws IOException {
        ExternalState state = ExternalState.of(stateRoot, id);
        if (state.exists()) {
            Optional<String> path = state.cgroup();
            try {
                run(id, "delete", "--force", id);
            } catch (IOException e) {
                // Its program may be gone. What runs ends all the same, if we know where it is.
                if (path.isEmpty()) throw e;
            }
            // One that was killed with its shim, in the middle of its work, does not know what it has made.
            if (path.isPresent()) {
                Cgroup.at(Hierarchies.read(), path.get()).destroy();
                // Where both versions of control groups are, runc makes one of the second, too.
                Path unified = Path.of("/sys/fs/cgroup/unified" + path.get());
                if (Files.exists(unified)) CgroupFiles.remove(unified);
            }
            state.delete();
        }
        StateFile.remove(stateRoot, id);
    }

    @Override
    public Optional<Fd> watchOutOfMemory(String id) throws IOException {
        Optional<Cgroup> group = cgroup(id);
        return group.isEmpty() ? Optional.empty() : group.get().watchOutOfMemory();
    }

    @Override
    public long outOfMemoryKills(String id) throws IOException {
        Optional<Cgroup> group = cgroup(id);
        return group.isEmpty() ? 0 : group.get().outOfMemoryKills();
    }

    private synchronized Optional<Cgroup> cgroup(String id) throws IOException {
        if (cgroup.isEmpty()) {
            Optional<StateFile> state = StateFile.read(stateRoot, id);
            if (state.isPresent() && !state.get().cgroup().isEmpty()) {
                cgroup = Optional.of(Cgroup.at(Hierarchies.read(), state.get().cgroup()));
            }
        }
        return cgroup;
    }

    /// Where the runtime has put the process, below the root of the memory controller's hierarchy or of the only one; empty when it was
    /// left among the shim's own, or has ended.
    ///
    /// @see <a href="https://man7.org/linux/man-pages/man7/cgroups.7.html">cgroups(7), /proc/pid/cgroup</a>
    private static String cgroupOf(int pid) throws IOException {
        String path = memoryCgroup(Integer.toString(pid));
        return path.equals(memoryCgroup("self")) ? "" : path;
    }

    private static String memoryCgroup(String process) throws IOException {
        String unified = "";
        for (String line : KernelFile.lines(Path.of("/proc/" + process + "/cgroup"))) {
            String[] fields = line.split(":", 3);
            String path = fields[2].equals("/") ? "" : fields[2];
            if (List.of(fields[1].split(",")).contains("memory")) return path;
            if (fields[0].equals("0")) unified = path;
        }
        return unified;
    }

    private void run(String id, String... verb) throws IOException {
        try (var call = call(id, List.of())) {
            call.run(List.of(verb));
        }
    }

    private ExternalCall call(String id, List<String> options) {
        Path kind = stateRoot.resolveSibling("runtime-" + Path.of(command.program()).getFileName());
        return new ExternalCall(command, ExternalState.of(stateRoot, id).folder(), kind, options);
    }

    /// Docker takes the kind of a failure from the runtime's words, and so do its clients.
    private static ContainerFailure classified(ContainerFailure failure, RuntimeSpec.Process process) {
        String words = failure.getMessage().toLowerCase(Locale.ROOT);
        boolean ofProgram = process != null && !process.args().isEmpty() && words.contains(process.args().getFirst().toLowerCase(Locale.ROOT));
        ContainerFailure.Kind kind = failure.kind();
        if (ofProgram && (words.contains("executable file not found") || words.contains("no such file or directory"))) {
            kind = ContainerFailure.Kind.NOT_FOUND;
        } else if (words.contains("permission denied")) {
            kind = ContainerFailure.Kind.NOT_EXECUTABLE;
        }
        return new ContainerFailure(kind, failure.getMessage(), failure.isOfOtherRuntime());
    }
}
