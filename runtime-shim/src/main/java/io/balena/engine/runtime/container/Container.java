package io.balena.engine.runtime.container;

import static io.balena.engine.linux.OpenFlags.AT_FDCWD;
import static io.balena.engine.runtime.namespace.Namespaces.CLONE_NEWCGROUP;
import static io.balena.engine.runtime.namespace.Namespaces.CLONE_NEWIPC;
import static io.balena.engine.runtime.namespace.Namespaces.CLONE_NEWNET;
import static io.balena.engine.runtime.namespace.Namespaces.CLONE_NEWPID;
import static io.balena.engine.runtime.namespace.Namespaces.CLONE_NEWUTS;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.Gate;
import io.balena.engine.linux.KernelFile;
import io.balena.engine.linux.NamedGate;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.ProcessId;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.cgroup.Cgroup;
import io.balena.engine.runtime.cgroup.Hierarchies;
import io.balena.engine.runtime.cgroup.OomHeirs;
import io.balena.engine.runtime.namespace.IdMappings;
import io.balena.engine.runtime.namespace.Namespaces;
import io.balena.engine.runtime.namespace.UserNamespace;
import io.balena.engine.runtime.process.ContainerProcess;
import io.balena.engine.runtime.process.HomeFolder;
import io.balena.engine.runtime.process.HostFacts;
import io.balena.engine.runtime.process.PassedStreams;
import io.balena.engine.runtime.process.ProcessSetup;
import io.balena.engine.runtime.process.StandardStreams;
import io.balena.engine.runtime.process.WaitingProcess;
import io.balena.engine.runtime.rootfs.CgroupMount;
import io.balena.engine.runtime.rootfs.DefaultDevices;
import io.balena.engine.runtime.rootfs.RootFilesystem;
import io.balena.engine.runtime.seccomp.SeccompFilter;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.SpecReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// One container and the programs that make its processes.
public final class Container {
    /// Descriptors of ours that the child is to find again must not have numbers it is to give to others.
    private static final int FIRST_PASSED = 8;

    private static final int SIGKILL = 9;

    private static final long AF_INET = 2;
    private static final long SOCK_DGRAM = 2;
    private static final long SIOCSIFFLAGS = 0x8914;
    private static final short IFF_UP = 1;

    private final String id;
    private final Path bundle;
    private final String cgroupPath;
    private final Path stateFolder;
    private final Cgroup cgroup;
    private final Hierarchies hierarchies;
    private final HostFacts host;

    private final Tracers tracers;
    private ProcessId process;
    private WaitingProcess waiting;
    private boolean ownsCgroup;
    /// Null when there are none, or when they were not read again yet.
    private RuntimeSpec.Hooks hooks;
    private boolean hooksKnown;
    private Map<String, String> annotations = Map.of();
    /// Null when it has none, or when it was not read again yet.
    private SeccompFilter seccomp;
    private boolean seccompKnown;

    /// @param stateFolder the container's own
    Container(String id, Path bundle, Path stateFolder, String cgroupPath, Hierarchies hierarchies, HostFacts host)
            throws ContainerFailure {
        this.id = id;
        this.stateFolder = stateFolder;
        this.bundle = bundle;
        this.cgroupPath = cgroupPath;
        this.cgroup = Cgroup.at(hierarchies, cgroupPath);
        this.hierarchies = hierarchies;
        this.host = host;
        this.tracers = new Tracers();
    }

    /// A container an earlier shim has made.
    static Container found(StateFile state, Path stateFolder, Hierarchies hierarchies, HostFacts host)
            throws ContainerFailure {
        var container = new Container(state.id(), state.bundle(), stateFolder, state.cgroup(), hierarchies, host);
        container.process = state.process();
        container.tracers.expectAny();
        return container;
    }

    public Path bundle() {
        return bundle;
    }

    String cgroupPath() {
        return cgroupPath;
    }

    public Cgroup cgroup() {
        return cgroup;
    }

    public ProcessId process() {
        return process;
    }

    synchronized ContainerProcess create(RuntimeSpec spec, StandardStreams streams, Creation creation) throws IOException {
        if (spec.process() == null) throw failure("process property must not be empty");
        if (spec.root() == null || spec.root().path() == null) throw failure("root must be specified");
        var linux = spec.linux();
        var namespaces = new Namespaces(linux == null ? List.of() : linux.namespaces());
        var users = UserNamespace.of(linux, namespaces);
        hooks = spec.hooks();
        annotations = spec.annotations();
        hooksKnown = true;
        if (cgroup.hasMembers()) throw failure("container's cgroup is not empty: " + cgroupPath);
        ownsCgroup = true;
        var given = linux == null ? null : linux.resources();
        var resources = creation.named() ? DefaultDevices.allowed(given) : given;
        if (!cgroup.needsProcess()) cgroup.create(resources, 0);

        var program = new SyscallProgram();
        int least = FIRST_PASSED + creation.inherited();
        try (var passed = new PassedStreams(streams, least, creation.inherited());
                var named = creation.named() ? NamedGate.make(stateFolder, StateFile.GATE, least) : null) {
            var gate = Gate.open(least);
            var process = creation.named() ? HomeFolder.given(spec.process(), bundle.resolve(spec.root().path())) : spec.process();
            var setup = new ProcessSetup(program, process, users.exists() ? host.inUserNamespace() : host);
            int free = setup.addDescriptors(
                    passed, gate.childsEnd().number(), named == null ? -1 : named.childsEnd().number());
            int listener = free - 1;
            setup.addProcFiles(free);
            if (cgroup.needsProcess()) setup.addGate();
            // systemd makes the group around the process, which then joins the others.
            boolean born = !cgroup.needsProcess() && cgroup.birthplace().isPresent();
            if (!born) addMembership(program, setup, free);
            long successor = users.addEntry(program, namespaces, free);
            var files = new RootFilesystem(program, spec, bundle, free, users.exists());
            if (users.exists()) {
                setup.addGate();
                files.addBindSources();
            }
            files.addRoot();
            users.addPossession(program, namespaces);
            free = files.free();
            if (creation.keyring()) setup.addKeyring(id);
            if (namespaces.creates(CLONE_NEWCGROUP)) {
                program.add(Syscall.UNSHARE, "unshare", "cgroup namespace", CLONE_NEWCGROUP);
            }
            if (namespaces.creates(CLONE_NEWNET)) addLoopback(program, free);
            addNames(program, spec, namespaces);
            addSysctls(setup, linux, namespaces, free);

            boolean ownCgroups = namespaces.separates(CLONE_NEWCGROUP);
            files.addMounts(new CgroupMount(hierarchies, ownCgroups, cgroup.relative()));
            files.addDevices();
            int master = files.free();
            boolean terminal = streams instanceof StandardStreams.Terminal;
            files.addProtectedPaths();
            if (streams instanceof StandardStreams.Terminal t) {
                setup.addTerminal(files.root(), master, t);
                files.addConsole(master + 1);
            }
            boolean hooked = hooks != null && !(hooks.prestart().isEmpty()
                    && hooks.createRuntime().isEmpty()
                    && hooks.createContainer().isEmpty());
            if (hooked) setup.addGate();
            files.addPivot(terminal ? master + 2 : master);
            setup.addSession();
            if (terminal) setup.addControllingTerminal(master + 1);
            setup.addIdentity(passed.owned(), true, files.freeAfterPivot());
            setup.addGate();
            if (named != null) setup.addNamedGate(listener);
            seccompKnown = true;
            seccomp = linux == null || linux.seccomp() == null ? null : SeccompFilter.of(linux.seccomp());
            setup.addExecute(seccomp);
            files.addExceptions();

            if (users.mappings().isPresent()) passed.give(users.mappings().get());
            waiting = new WaitingProcess(program, setup, gate, spawn(program, namespaces, users.flags(namespaces), born));
            gate.closeChildsEnd();
            if (cgroup.needsProcess()) waiting.meanwhile(() -> cgroup.create(resources, waiting.child().pid()));
            if (successor != 0) waiting.awaitSuccessor(successor);
            PidFd child = waiting.child();
            if (users.exists()) waiting.meanwhile(() -> users.prepare(child));
            if (hooked) waiting.meanwhile(() -> runCreateHooks(child));
            waiting.awaitReady();
            files.checkProtectedPaths();
            this.process = ProcessId.of(child.pid()).orElseThrow(setup::failure);
            Optional<Fd> ptyMaster = terminal ? Optional.of(child.descriptor(master)) : Optional.empty();
            return new ContainerProcess(child, ptyMaster);
        }
    }

    /// Leaves a [named][Creation#named] container to itself, once others can find it. Until then it ends with us.
    synchronized void leave() throws IOException {
        waiting.leave();
        waiting = null;
    }

    private PidFd spawn(SyscallProgram program, Namespaces namespaces, long flags, boolean born) throws IOException {
        String path = namespaces.path(CLONE_NEWPID);
        if (path == null) return spawnIn(null, program, flags, born);
        try (var namespace = Fd.open(Path.of(path), 0)) {
            return spawnIn(namespace, program, flags, born);
        }
    }

    /// @param pidNamespace to make the process in; null for ours
    /// @param born whether in its control group
    private PidFd spawnIn(Fd pidNamespace, SyscallProgram program, long flags, boolean born) throws IOException {
        try (Fd group = born ? Fd.open(cgroup.birthplace().orElseThrow(), OpenFlags.RDONLY | OpenFlags.DIRECTORY) : null) {
            var place = Optional.ofNullable(group);
            return pidNamespace == null ? program.spawn(flags, place) : program.spawnIn(pidNamespace, flags, place);
        }
    }

    private void runCreateHooks(PidFd child) throws IOException {
        var runner = hookRunner();
        runner.run("prestart", hooks.prestart(), "creating", child.pid(), bundle, null);
        runner.run("createRuntime", hooks.createRuntime(), "creating", child.pid(), bundle, null);
        if (hooks.createContainer().isEmpty()) return;
        Path root = bundle.resolve(spec().root().path());
        runner.run("createContainer", hooks.createContainer(), "creating", pidInside(child.pid()), root, child);
    }

    /// The pid a process has in the innermost of its pid namespaces.
    private static int pidInside(int pid) throws IOException {
        for (String line : KernelFile.lines(Path.of("/proc/" + pid + "/status"))) {
            if (line.startsWith("NSpid:")) return Integer.parseInt(line.substring(line.lastIndexOf('\t') + 1));
        }
        return pid;
    }

    private HookRunner hookRunner() {
        return new HookRunner(id, bundle, annotations, stateFolder);
    }

    private void addMembership(SyscallProgram program, ProcessSetup setup, int free) {
        for (String file : cgroup.membershipFiles()) setup.addWrite(file, "0", free);
    }

    /// A new network namespace has a loopback link that is down; programs expect 127.0.0.1 also where there is no other network.
    ///
    /// @see <a href="https://man7.org/linux/man-pages/man7/netdevice.7.html">netdevice(7), SIOCSIFFLAGS</a>
    private static void addLoopback(SyscallProgram program, int free) {
        byte[] request = new byte[40]; // struct ifreq: a name of 16 bytes, then here the flags
        request[0] = 'l';
        request[1] = 'o';
        ByteBuffer.wrap(request).order(ByteOrder.nativeOrder()).putShort(16, IFF_UP);
        program.add(Syscall.SOCKET, "socket", "for loopback", AF_INET, SOCK_DGRAM | OpenFlags.CLOEXEC, 0);
        program.add(Syscall.IOCTL, "set up", "loopback", free, SIOCSIFFLAGS, program.bytes(request));
        program.add(Syscall.CLOSE, "close", "loopback", free);
    }

    private static void addNames(SyscallProgram program, RuntimeSpec spec, Namespaces namespaces) throws ContainerFailure {
        if (spec.hostname() != null && !spec.hostname().isEmpty()) {
            if (!namespaces.separates(CLONE_NEWUTS)) {
                throw failure("unable to set hostname without a private UTS namespace");
            }
            byte[] name = spec.hostname().getBytes(java.nio.charset.StandardCharsets.UTF_8);
            program.add(Syscall.SETHOSTNAME, "sethostname", spec.hostname(), program.bytes(name), name.length);
        }
        if (spec.domainname() != null && !spec.domainname().isEmpty()) {
            if (!namespaces.separates(CLONE_NEWUTS)) {
                throw failure("unable to set domainname without a private UTS namespace");
            }
            byte[] name = spec.domainname().getBytes(java.nio.charset.StandardCharsets.UTF_8);
            program.add(Syscall.SETDOMAINNAME, "setdomainname", spec.domainname(), program.bytes(name), name.length);
        }
    }

    private static void addSysctls(ProcessSetup setup, RuntimeSpec.Linux linux, Namespaces namespaces, int free)
            throws ContainerFailure {
        if (linux == null) return;
        for (var setting : linux.sysctl().entrySet()) {
            String key = setting.getKey();
            checkSysctl(key, namespaces);
            setup.addSysctl(key, setting.getValue(), free);
        }
    }

    /// Only what belongs to a namespace of the container's own may be changed.
    private static void checkSysctl(String key, Namespaces namespaces) throws ContainerFailure {
        if (key.indexOf('/') >= 0 || key.contains("..")) throw failure("invalid sysctl \"" + key + "\"");
        switch (key) {
            case "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
                    "kernel.shmmni", "kernel.shm_rmid_forced" -> {
                if (namespaces.separates(CLONE_NEWIPC)) return;
                throw failure("sysctl \"" + key + "\" is not allowed in the hosts ipc namespace");
            }
            case "kernel.domainname" -> {
                if (namespaces.separates(CLONE_NEWUTS)) return;
            }
            default -> {}
        }
        if (key.startsWith("fs.mqueue.")) {
            if (namespaces.separates(CLONE_NEWIPC)) return;
            throw failure("sysctl \"" + key + "\" is not allowed in the hosts ipc namespace");
        }
        if (key.startsWith("net.")) {
            if (namespaces.separates(CLONE_NEWNET)) return;
            throw failure("sysctl \"" + key + "\" not allowed in host network namespace");
        }
        throw failure("sysctl \"" + key + "\" is not in a separate kernel namespace");
    }

    public synchronized void start() throws IOException {
        if (waiting == null) {
            startAtNamedGate();
        } else {
            try {
                runStartHooks();
                waiting.execute();
                OomHeirs.correct(cgroup, process);
            } catch (IOException | RuntimeException e) {
                waiting.end();
                waiting = null;
                throw e;
            }
            waiting.close();
            waiting = null;
        }
        if (hooks() != null) hookRunner().run("poststart", hooks().poststart(), "running", process.pid(), bundle, null);
    }

    /// Starts a container that was left to others when it was created.
    private void startAtNamedGate() throws IOException {
        switch (status()) {
            case CREATED -> {}
            case RUNNING -> throw failure("cannot start an already running container");
            case PAUSED -> throw failure("cannot start a container in the paused state");
            case STOPPED -> throw failure("cannot start a container that has stopped");
        }
        try {
            runStartHooks();
        } catch (IOException | RuntimeException e) {
            end();
            throw e;
        }
        try {
            if (!NamedGate.pass(stateFolder, StateFile.GATE)) throw failure("cannot start an already running container");
        } catch (ErrnoException e) {
            throw ProcessSetup.reported(e);
        } finally {
            Files.deleteIfExists(stateFolder.resolve(StateFile.GATE));
        }
        ProcessSetup.adjustOomScore(spec().process(), process.pid());
        OomHeirs.correct(cgroup, process);
    }

    /// Hooks that are the container's own programs run as its first process will, in its control groups.
    private void runStartHooks() throws IOException {
        if (hooks() == null || hooks().startContainer().isEmpty()) return;
        var first = spec().process();
        hookRunner().runInside("startContainer", hooks().startContainer(), "created", pidInside(process.pid()), (hook, in, out) -> {
            List<String> args = hook.args().isEmpty() ? List.of(hook.path()) : hook.args();
            return exec(first.running(args, hook.env()), hook.path(), new StandardStreams.Pipes(in, out, out), 0).pidFd();
        });
    }

    /// What whoever did not make the container finds.
    public ContainerStatus status() throws IOException {
        Optional<PidFd> open = process.open();
        if (open.isEmpty()) return ContainerStatus.STOPPED;
        try (PidFd living = open.get()) {
            if (living.awaitEnded(0)) return ContainerStatus.STOPPED;
            if (cgroup.isFrozen()) return ContainerStatus.PAUSED;
            return Files.exists(stateFolder.resolve(StateFile.GATE)) ? ContainerStatus.CREATED : ContainerStatus.RUNNING;
        }
    }

    /// Ends the first process, and waits until it has ended.
    private void end() throws IOException {
        Optional<PidFd> open = process.open();
        if (open.isEmpty()) return;
        try (PidFd living = open.get()) {
            living.signal(SIGKILL);
            living.awaitEnded(-1);
        }
    }

    /// As it was when the container was created, which for one the shim made is as it is in the bundle.
    public RuntimeSpec spec() throws IOException {
        Path kept = stateFolder.resolve(StateFile.SPEC);
        return SpecReader.spec(Files.exists(kept) ? Files.readAllBytes(kept) : OciRuntime.readConfig(bundle));
    }

    /// Null when there are none.
    private RuntimeSpec.Hooks hooks() throws IOException {
        if (!hooksKnown) {
            var spec = spec();
            hooks = spec.hooks();
            annotations = spec.annotations();
            hooksKnown = true;
        }
        return hooks;
    }

    /// @param inherited see [Creation#inherited]
    public ContainerProcess exec(RuntimeSpec.Process process, StandardStreams streams, int inherited) throws IOException {
        return exec(process, process.args().isEmpty() ? "" : process.args().getFirst(), streams, inherited);
    }

    /// @param name of the program
    private ContainerProcess exec(RuntimeSpec.Process process, String name, StandardStreams streams, int inherited)
            throws IOException {
        var first = this.process.open().orElseThrow(() -> new ContainerFailure(
                ContainerFailure.Kind.NO_SUCH_PROCESS, "cannot exec in a stopped container"));
        var filter = seccomp();
        if (cgroup.isFrozen()) throw failure("cannot exec in a paused container");
        var program = new SyscallProgram();
        WaitingProcess child = null;
        int least = FIRST_PASSED + inherited;
        try (first; var passed = new PassedStreams(streams, least, inherited)) {
            var gate = Gate.open(least);
            boolean otherUsers = Namespaces.isInOtherUserNamespace(first.pid());
            if (otherUsers) passed.give(IdMappings.of(first.pid()));
            var setup = new ProcessSetup(program, process, name, otherUsers ? host.inUserNamespace() : host);
            try (var kept = first.fd().duplicate(least)) {
                int free = setup.addDescriptors(passed, gate.childsEnd().number(), kept.number());
                int container = free - 1;
                setup.addKeyring(id);
                setup.addProcFiles(free);
                boolean born = cgroup.birthplace().isPresent();
                if (!born) addMembership(program, setup, free);
                // In a namespace of its own user's making nobody has rights over ours.
                boolean apart = !otherUsers && tracers.mayBeIn(first.pid());
                tracers.add(process);
                long joined = apart ? Namespaces.joinableBySuccessor(first.pid()) : Namespaces.joinable(first.pid());
                program.add(Syscall.SETNS, "join namespaces of", id, container, joined);
                if (otherUsers) UserNamespace.addBecomeRoot(program);
                program.add(Syscall.CLOSE, "close", null, container);
                free = container;
                setup.addSession();
                boolean terminal = streams instanceof StandardStreams.Terminal;
                int master = free;
                if (streams instanceof StandardStreams.Terminal t) {
                    setup.addTerminal(AT_FDCWD, master, t);
                    if (apart) setup.addTerminalStreams(master + 1);
                    else setup.addControllingTerminal(master + 1);
                    free = master + 1;
                }
                setup.addIdentity(passed.owned(), false, free);
                setup.addGate();
                long successor = 0;
                if (apart) successor = setup.addExecuteApart(filter, terminal);
                else setup.addExecute(filter);

                child = new WaitingProcess(program, setup, gate, spawnIn(apart ? null : first.fd(), program, 0, born));
                gate.closeChildsEnd();
                child.awaitReady();
                Optional<Fd> ptyMaster = terminal ? Optional.of(child.child().descriptor(master)) : Optional.empty();
                if (apart) child.execute(successor);
                else child.execute();
                Optional<ProcessId> executed = ProcessId.of(child.child().pid());
                if (executed.isPresent()) OomHeirs.correct(cgroup, executed.get());
                child.close();
                return new ContainerProcess(child.child(), ptyMaster);
            }
        } catch (IOException | RuntimeException e) {
            if (child != null) child.abandon();
            else program.close();
            throw e;
        }
    }

    /// Further processes are filtered as the first.
    private synchronized SeccompFilter seccomp() throws IOException {
        if (!seccompKnown) {
            var linux = spec().linux();
            if (linux != null && linux.seccomp() != null) seccomp = SeccompFilter.of(linux.seccomp());
            seccompKnown = true;
        }
        return seccomp;
    }

    /// Removes what a creation that failed has made.
    synchronized void undo() throws IOException {
        if (waiting != null) {
            waiting.abandon();
            waiting = null;
        }
        // A group that others were in before is theirs.
        if (ownsCgroup) cgroup.destroy();
    }

    synchronized void delete() throws IOException {
        if (waiting != null) {
            // Its parent reaps it; until it has ended, the memory is also its own.
            waiting.end();
            waiting = null;
        }
        cgroup.destroy();
    }

    /// To be called once it is gone.
    ///
    /// @return what went wrong; also when nobody knows any more which hooks it had
    Optional<ContainerFailure> runStopHooks() {
        try {
            if (hooks() != null) hookRunner().run("poststop", hooks().poststop(), "stopped", 0, bundle, null);
            return Optional.empty();
        } catch (ContainerFailure e) {
            return Optional.of(e);
        } catch (IOException e) {
            return Optional.of(failure(e.getMessage()));
        }
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
