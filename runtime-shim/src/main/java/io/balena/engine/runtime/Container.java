package io.balena.engine.runtime;

import static io.balena.engine.runtime.Namespaces.CLONE_NEWCGROUP;
import static io.balena.engine.runtime.Namespaces.CLONE_NEWIPC;
import static io.balena.engine.runtime.Namespaces.CLONE_NEWNET;
import static io.balena.engine.runtime.Namespaces.CLONE_NEWPID;
import static io.balena.engine.runtime.Namespaces.CLONE_NEWUTS;
import static io.balena.engine.runtime.ProcessSetup.AT_FDCWD;

import io.balena.engine.linux.Fd;
import io.balena.engine.linux.Gate;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.ProcessId;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// One container and the programs that make its processes.
final class Container {
    /// Descriptors of ours that the child is to find again must not have numbers it is to give to others.
    private static final int FIRST_PASSED = 8;

    private static final long KEYCTL_JOIN_SESSION_KEYRING = 1;
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

    private ProcessId process;
    private WaitingProcess waiting;
    private boolean ownsCgroup;
    /// Null when there are none, or when this container was found.
    private RuntimeSpec.Hooks hooks;
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
    }

    /// A container an earlier shim has made.
    static Container found(StateFile state, Path stateFolder, Hierarchies hierarchies, HostFacts host)
            throws ContainerFailure {
        var container = new Container(state.id(), state.bundle(), stateFolder, state.cgroup(), hierarchies, host);
        container.process = state.process();
        return container;
    }

    Path bundle() {
        return bundle;
    }

    String cgroupPath() {
        return cgroupPath;
    }

    Cgroup cgroup() {
        return cgroup;
    }

    ProcessId process() {
        return process;
    }

    synchronized ContainerProcess create(RuntimeSpec spec, StandardStreams streams) throws IOException {
        if (spec.process() == null) throw failure("process is missing");
        var linux = spec.linux();
        var namespaces = new Namespaces(linux == null ? List.of() : linux.namespaces());
        hooks = spec.hooks();
        annotations = spec.annotations();
        if (cgroup.hasMembers()) throw failure("container's cgroup is not empty: " + cgroupPath);
        ownsCgroup = true;
        var resources = linux == null ? null : linux.resources();
        if (!cgroup.needsProcess()) cgroup.create(resources, 0);

        var program = new SyscallProgram();
        try (var passed = new PassedStreams(streams, FIRST_PASSED)) {
            var gate = Gate.open(FIRST_PASSED);
            var setup = new ProcessSetup(program, spec.process(), host);
            int free = setup.addDescriptors(passed, gate.childsEnd().number(), -1);
            program.mayFail(program.add(
                    Syscall.KEYCTL, "keyctl", null, KEYCTL_JOIN_SESSION_KEYRING, program.text("_ses." + id)));
            setup.addProcFiles(free);
            if (cgroup.needsProcess()) setup.addGate();
            addMembership(program, setup, free);
            addJoins(program, namespaces, free);
            if (namespaces.creates(CLONE_NEWCGROUP)) {
                program.add(Syscall.UNSHARE, "unshare", "cgroup namespace", CLONE_NEWCGROUP);
            }
            if (namespaces.creates(CLONE_NEWNET)) addLoopback(program, free);
            addNames(program, spec, namespaces);
            addSysctls(setup, linux, namespaces, free);

            var files = new RootFilesystem(program, spec, bundle, free);
            files.addRoot();
            boolean ownCgroups = namespaces.separates(CLONE_NEWCGROUP);
            files.addMounts(new CgroupMount(hierarchies, ownCgroups, cgroup.relative()));
            files.addDevices();
            int master = files.root() + 1;
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
            setup.addIdentity(passed.owned(), free);
            setup.addGate();
            seccompKnown = true;
            seccomp = linux == null || linux.seccomp() == null ? null : SeccompFilter.of(linux.seccomp());
            setup.addExecute(seccomp);
            files.addExceptions();

            PidFd child = spawn(program, namespaces);
            gate.closeChildsEnd();
            waiting = new WaitingProcess(program, setup, gate, child);
            if (cgroup.needsProcess()) waiting.meanwhile(() -> cgroup.create(resources, child.pid()));
            if (hooked) waiting.meanwhile(() -> runCreateHooks(child));
            waiting.awaitReady();
            files.checkProtectedPaths();
            process = ProcessId.of(child.pid()).orElseThrow(setup::failure);
            Optional<Fd> ptyMaster = terminal ? Optional.of(child.descriptor(master)) : Optional.empty();
            return new ContainerProcess(child, ptyMaster);
        }
    }

    private static PidFd spawn(SyscallProgram program, Namespaces namespaces) throws IOException {
        // The cgroup namespace is left by the child itself, once it is where its view is to begin.
        long flags = namespaces.created() & ~CLONE_NEWCGROUP;
        String path = namespaces.path(CLONE_NEWPID);
        if (path == null) return program.spawn(flags);
        try (var namespace = Fd.open(Path.of(path), 0)) {
            return program.spawnIn(namespace, flags);
        }
    }

    private void runCreateHooks(PidFd child) throws IOException {
        var runner = hookRunner();
        runner.run("prestart", hooks.prestart(), "creating", child.pid(), null);
        runner.run("createRuntime", hooks.createRuntime(), "creating", child.pid(), null);
        runner.run("createContainer", hooks.createContainer(), "creating", child.pid(), child);
    }

    private HookRunner hookRunner() {
        return new HookRunner(id, bundle, annotations, stateFolder);
    }

    private void addMembership(SyscallProgram program, ProcessSetup setup, int free) {
        for (String file : cgroup.membershipFiles()) setup.addWrite(file, "0", free);
    }

    private static void addJoins(SyscallProgram program, Namespaces namespaces, int free) {
        for (long flag : new long[] {CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWNET, CLONE_NEWCGROUP}) {
            String path = namespaces.path(flag);
            if (path == null) continue;
            program.add(Syscall.OPENAT, "open namespace", path, AT_FDCWD, program.text(path), OpenFlags.CLOEXEC);
            program.add(Syscall.SETNS, "join namespace", path, free, flag);
            program.add(Syscall.CLOSE, "close", path, free);
        }
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
            setup.addWrite("/proc/sys/" + key.replace('.', '/'), setting.getValue(), free);
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
                throw failure("sysctl \"" + key + "\" requires a private UTS namespace");
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

    synchronized void start() throws IOException {
        if (waiting == null) throw failure("cannot start a container that has stopped or runs");
        try {
            if (hooks != null) {
                hookRunner().run("startContainer", hooks.startContainer(), "created", process.pid(), waiting.child());
            }
            waiting.execute();
            OomHeirs.correct(cgroup, process);
        } catch (IOException | RuntimeException e) {
            waiting.end();
            waiting = null;
            throw e;
        }
        waiting.close();
        waiting = null;
        if (hooks != null) hookRunner().run("poststart", hooks.poststart(), "running", process.pid(), null);
    }

    ContainerProcess exec(RuntimeSpec.Process process, StandardStreams streams) throws IOException {
        var first = this.process.open().orElseThrow(() -> new ContainerFailure(
                ContainerFailure.Kind.NO_SUCH_PROCESS, "cannot exec in a stopped container"));
        var filter = seccomp();
        if (cgroup.isFrozen()) throw failure("cannot exec in a paused container");
        var program = new SyscallProgram();
        WaitingProcess child = null;
        try (first; var passed = new PassedStreams(streams, FIRST_PASSED)) {
            var gate = Gate.open(FIRST_PASSED);
            var setup = new ProcessSetup(program, process, host);
            try (var kept = first.fd().duplicate(FIRST_PASSED)) {
                int free = setup.addDescriptors(passed, gate.childsEnd().number(), kept.number());
                int container = free - 1;
                setup.addProcFiles(free);
                addMembership(program, setup, free);
                program.add(Syscall.SETNS, "join namespaces of", id, container, Namespaces.ALL_BUT_PID);
                program.add(Syscall.CLOSE, "close", null, container);
                free = container;
                setup.addSession();
                boolean terminal = streams instanceof StandardStreams.Terminal;
                int master = free;
                if (streams instanceof StandardStreams.Terminal t) {
                    setup.addTerminal(AT_FDCWD, master, t);
                    setup.addControllingTerminal(master + 1);
                    free += 2;
                }
                setup.addIdentity(passed.owned(), free);
                setup.addGate();
                setup.addExecute(filter);

                PidFd pidFd = program.spawnIn(first.fd(), 0);
                gate.closeChildsEnd();
                child = new WaitingProcess(program, setup, gate, pidFd);
                child.awaitReady();
                Optional<Fd> ptyMaster = terminal ? Optional.of(pidFd.descriptor(master)) : Optional.empty();
                child.execute();
                Optional<ProcessId> executed = ProcessId.of(pidFd.pid());
                if (executed.isPresent()) OomHeirs.correct(cgroup, executed.get());
                child.close();
                return new ContainerProcess(pidFd, ptyMaster);
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
            var linux = SpecReader.spec(Files.readAllBytes(bundle.resolve("config.json"))).linux();
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
        if (hooks != null) hookRunner().run("poststop", hooks.poststop(), "stopped", 0, null);
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
