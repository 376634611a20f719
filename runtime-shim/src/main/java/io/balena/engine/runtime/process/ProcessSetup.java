package io.balena.engine.runtime.process;

import static io.balena.engine.linux.OpenFlags.AT_FDCWD;
import static io.balena.engine.linux.OpenFlags.RESOLVE_NO_MAGICLINKS;

import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.seccomp.SeccompFilter;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/// The rows that turn a child into the process that `process` of the specification describes; the same for a container's first
/// process and for one that is executed into it.
///
/// The child's descriptors are numbered as the kernel does, lowest free first: 0, 1 and 2, then those it inherits,
/// then its gate, then what the rows open.
public final class ProcessSetup {
    private static final int OPEN_FOLDER = OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.CLOEXEC;

    private static final long KEYCTL_JOIN_SESSION_KEYRING = 1;

    private static final long SIG_SETMASK = 2;

    private final SyscallProgram program;
    private final RuntimeSpec.Process process;
    private final HostFacts host;

    private final Executable executable;
    private final Rights rights;
    /// What users know as something else than the call of a row.
    private final Map<Integer, String> attempts = new HashMap<>();
    private int gate;
    private int named = -1;

    public ProcessSetup(SyscallProgram program, RuntimeSpec.Process process, HostFacts host) throws ContainerFailure {
        this(program, process, process.args().isEmpty() ? "" : process.args().getFirst(), host);
    }

    /// @param name of the program, which need not be its first argument
    public ProcessSetup(SyscallProgram program, RuntimeSpec.Process process, String name, HostFacts host) throws ContainerFailure {
        this.program = program;
        this.process = process;
        this.host = host;
        this.executable = new Executable(program, name);
        this.rights = new Rights(program, process, host);
        if (!process.cwd().startsWith("/")) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "Cwd must be an absolute path");
        }
    }

    /// Puts the standard streams and the gate in their places and closes everything else.
    ///
    /// @param streams `/dev/null` is put on all three instead of a terminal's, until there is one
    /// @param kept a further descriptor to keep as the one after the gate, or negative
    /// @return the child's lowest free descriptor
    public int addDescriptors(PassedStreams streams, int parentsGate, int kept) {
        gate = 3 + streams.inherited();
        int free = gate + 1;
        program.add(Syscall.DUP3, "dup3", "gate", parentsGate, gate, OpenFlags.CLOEXEC);
        if (kept >= 0) program.add(Syscall.DUP3, "dup3", "pidfd", kept, free++, OpenFlags.CLOEXEC);
        if (!streams.areTerminal()) {
            for (int i = 0; i < 3; i++) program.add(Syscall.DUP3, "dup3", "stream", streams.number(i), i, 0);
        }
        program.add(Syscall.CLOSE_RANGE, "close_range", null, free, 0xFFFFFFFFL, 0);
        if (streams.areTerminal()) {
            program.add(Syscall.OPENAT, "open", "/dev/null", AT_FDCWD, program.text("/dev/null"), OpenFlags.RDWR);
            for (int i = 0; i < 3; i++) program.add(Syscall.DUP3, "dup3", "/dev/null", free, i, 0);
            program.add(Syscall.CLOSE, "close", "/dev/null", free);
        }
        return free;
    }

    /// Leaves the session keyring of the runtime, which is the host's, for a new one.
    ///
    /// One that has the name already is joined only if it may be searched by its user, and those made here may not: a keyring knows no
    /// containers, so what one of them may join by its name, all may that run as the same user.
    ///
    /// @see <a href="https://man7.org/linux/man-pages/man2/keyctl.2.html">keyctl(2), KEYCTL_JOIN_SESSION_KEYRING</a>
    public void addKeyring(String container) {
        // A kernel without keys has none to share.
        program.mayFail(program.add(Syscall.KEYCTL, "keyctl", null, KEYCTL_JOIN_SESSION_KEYRING, program.text("_ses." + container)));
    }

    /// What is written into files of the host's `/proc`, which must still be in sight.
    ///
    /// @param free the child's lowest free descriptor
    /// @throws ContainerFailure when it is to be confined by what the host does not have
    public void addProcFiles(int free) throws ContainerFailure {
        String profile = process.apparmorProfile();
        if (profile == null || profile.isEmpty()) return;
        // Whoever asked to be confined must not run unconfined.
        if (host.apparmor().isEmpty()) throw unconfinable("apparmor config provided but apparmor not supported");
        // Valid from the next execve on, which is the container's own.
        addWrite(host.apparmor().get(), "exec " + profile, free);
    }

    private static ContainerFailure unconfinable(String why) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, "unable to apply apparmor profile: " + why);
    }

    /// Gives the process its place in the order of those the kernel kills when memory runs out.
    ///
    /// To be called after its execve: as long as it shares our memory, the kernel gives all who do the same value, us included.
    public void adjustOomScore(int pid) throws IOException {
        adjustOomScore(process, pid);
    }

    public static void adjustOomScore(RuntimeSpec.Process process, int pid) throws IOException {
        // The shim's own value, which would be inherited, is for nobody else.
        int score = process.oomScoreAdj() == null ? 0 : process.oomScoreAdj();
        Path file = Path.of("/proc/" + pid + "/oom_score_adj");
        try {
            Files.writeString(file, Integer.toString(score));
        } catch (IOException e) {
            if (Files.exists(file)) throw e; // else it has ended, and was reaped
        }
    }

    /// Writes `content` to the file at `path`.
    public void addWrite(String path, String content, int free) {
        program.add(Syscall.OPENAT, "open", path, AT_FDCWD, program.text(path), OpenFlags.WRONLY | OpenFlags.CLOEXEC);
        program.add(Syscall.WRITE, "write " + content + " to", path, free, program.text(content), content.length());
        program.add(Syscall.CLOSE, "close", path, free);
    }

    /// Changes a setting of the kernel.
    ///
    /// @param name as in sysctl(8)
    public void addSysctl(String name, String value, int free) {
        String path = "/proc/sys/" + name.replace('.', '/');
        long flags = OpenFlags.WRONLY | OpenFlags.CLOEXEC;
        inside(program.add(Syscall.OPENAT, "open", path, AT_FDCWD, program.text(path), flags), "open " + path);
        inside(program.add(Syscall.WRITE, "write", path, free, program.text(value), value.length()), "write " + path);
        program.add(Syscall.CLOSE, "close", path, free);
    }

    private void inside(int row, String attempt) {
        attempts.put(row, "error during container init: " + attempt);
    }

    /// Opens a new terminal of the container's devpts: its master becomes descriptor `free`, its other side `free + 1`.
    ///
    /// @param root descriptor of the container's root
    public void addTerminal(int root, int free, StandardStreams.Terminal terminal) {
        TerminalRows.addOpen(program, root, free, terminal);
    }

    /// Makes the terminal's other side the standard streams and the terminal of the session.
    public void addControllingTerminal(int slave) {
        TerminalRows.addControl(program, slave);
        addTerminalStreams(slave);
    }

    /// As [#addControllingTerminal] for a successor: the session is its own.
    public void addTerminalStreams(int slave) {
        TerminalRows.addStreams(program, slave);
    }

    public void addSession() {
        program.add(Syscall.SETSID, "setsid", null);
    }

    /// Sets the limits of a process that waits in a user namespace, where it could not raise them by itself. Elsewhere it does that as long
    /// as it has our user: of another, only who may raise limits may set any.
    void limitResources(int pid) throws IOException {
        rights.limitResources(pid);
    }

    /// From here on the process is inside the container: user, working folder, and the search for its program.
    ///
    /// @param chownStreams whether standard streams are to belong to its user; not for a `/dev/null`, which is everybody's
    /// @param makeFolder whether the working folder is made when it is missing
    /// @param free the child's lowest free descriptor
    public void addIdentity(boolean[] chownStreams, boolean makeFolder, int free) throws ContainerFailure {
        rights.addLimits();
        var user = process.user();
        if (user.uid() != 0) {
            for (int i = 0; i < 3; i++) {
                if (chownStreams[i]) program.mayFail(program.add(Syscall.FCHOWN, "chown", "stream", i, Rights.unsigned(user.uid()), -1));
            }
        }
        addWorkingFolder(makeFolder, free);
        program.add(Syscall.UMASK, "umask", null, user.umask() == null ? 022 : user.umask());
        rights.addUser();
        executable.addLookups(process.env());
    }

    /// Goes to `cwd`. Magic links are refused: behind `/proc/<pid>/cwd` or a descriptor lies a folder that may be outside of the container
    /// (CVE-2024-21626).
    private void addWorkingFolder(boolean make, int free) {
        String cwd = process.cwd();
        long how = program.words(OPEN_FOLDER, 0, RESOLVE_NO_MAGICLINKS);
        int open = addOpenFolder(cwd, how);
        if (make) {
            int over = program.addJump();
            program.onFailure(open, program.next());
            addMakeFolder(cwd, how, free);
            addOpenFolder(cwd, how);
            program.onFailure(over, program.next());
        }
        program.add(Syscall.FCHDIR, "chdir to cwd", cwd, free);
        program.add(Syscall.CLOSE, "close", cwd, free);
    }

    private void addMakeFolder(String cwd, long how, int free) {
        for (int from = 1; from < cwd.length(); ) {
            int slash = cwd.indexOf('/', from);
            int end = slash < 0 ? cwd.length() : slash;
            String above = cwd.substring(0, from);
            // By the same rule, or folders would be made behind the links that are refused in the end.
            addOpenFolder(above, how);
            long name = program.text(cwd.substring(from, end));
            program.mayFail(program.add(Syscall.MKDIRAT, "mkdir", cwd, free, name, 0755));
            program.add(Syscall.CLOSE, "close", above, free);
            from = end + 1;
        }
    }

    /// @return the row
    private int addOpenFolder(String folder, long how) {
        int row = program.add(Syscall.OPENAT2, "chdir to cwd", folder, AT_FDCWD, program.text(folder), how, 24);
        attempts.put(row, "chdir to cwd (\"" + process.cwd() + "\") set in config.json failed");
        return row;
    }

    /// Reports to the parent and waits until it lets the child go on.
    public void addGate() {
        program.add(Syscall.WRITE, "report", null, gate, program.bytes(new byte[1]), 1);
        int wait = program.add(Syscall.READ, "wait", null, gate, program.space(8), 1);
        // Nothing to read means that the runtime is gone.
        program.atLeast(wait, 1);
    }

    /// Waits at a [io.balena.engine.linux.NamedGate]. The connection takes the place of the gate, and its number.
    ///
    /// @param listener the descriptor to accept from
    public void addNamedGate(int listener) {
        program.add(Syscall.CLOSE, "close", "gate", gate);
        program.add(Syscall.ACCEPT4, "wait for start", null, listener, 0, 0, OpenFlags.CLOEXEC);
        program.add(Syscall.CLOSE, "close", "listener", listener);
        program.atLeast(program.add(Syscall.READ, "wait for start", null, gate, program.space(8), 1), 1);
        program.add(Syscall.WRITE, "report", null, gate, program.bytes(new byte[1]), 1);
        named = program.next();
    }

    /// The last steps: what takes rights away, and execve(2).
    ///
    /// @param filter may be null
    public void addExecute(SeccompFilter filter) {
        addLoss(filter);
        executable.addExecution(process.args(), process.env());
        if (named >= 0) program.reportFailures(named, gate);
    }

    /// As [#addExecute], where others could get hold of the process in which the program is executed before it is: that is one that has no
    /// more rights than the program will have, and none of our memory.
    ///
    /// @param terminal whether the standard streams are one
    /// @return for [SyscallProgram#successor]
    public long addExecuteApart(SeccompFilter filter, boolean terminal) {
        addLoss(filter);
        int from = program.next();
        long successor = program.addApartSuccessor();
        if (terminal) TerminalRows.addControl(program, 0);
        executable.addExecution(process.args(), process.env());
        program.reportFailures(from, gate);
        return successor;
    }

    private void addLoss(SeccompFilter filter) {
        for (int signal = 1; signal <= 64; signal++) {
            if ((host.ignoredSignals() & 1L << (signal - 1)) != 0) {
                program.add(Syscall.RT_SIGACTION, "reset signal", signal, signal, program.space(32), 0, 8);
            }
        }
        program.add(Syscall.RT_SIGPROCMASK, "unblock signals", null, SIG_SETMASK, program.space(8), 0, 8);
        rights.addLoss(filter);
    }

    /// Decides which file is executed, once the child waits after [#addIdentity].
    ///
    /// @throws ContainerFailure when none can be; worded as runc does
    void chooseExecutable() throws ContainerFailure {
        executable.choose();
    }

    /// What became of the child's execve, once it has left the gate for good.
    ///
    /// @throws ContainerFailure when it did not succeed
    void checkExecuted() throws ContainerFailure {
        int row = program.current();
        long result = program.result(row);
        if (row == executable.row() && result == SyscallProgram.NOT_DONE) return;
        throw failure();
    }

    /// Why a child has ended without executing its program.
    public ContainerFailure failure() {
        int row = program.current();
        long result = program.result(row);
        if (result == SyscallProgram.NOT_DONE) {
            return new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "container process was killed while it did: " + program.attempt(row));
        }
        var cause = program.failure();
        if (row == executable.row()) return executable.failure(cause);
        String attempt = attempts.get(row);
        if (attempt == null) return new ContainerFailure(ContainerFailure.Kind.SETUP, cause.getMessage());
        var kind = cause.errno() == Errno.ENOENT ? ContainerFailure.Kind.NOT_FOUND : ContainerFailure.Kind.SETUP;
        return new ContainerFailure(kind, attempt + ": " + cause.errno().text().toLowerCase(Locale.ROOT));
    }

    /// What it means that a child has reported a row of its last ones as failed.
    public static ContainerFailure reported(ErrnoException cause) {
        if (cause.call().startsWith("exec ")) return Executable.notExecuted(cause.call(), cause);
        return new ContainerFailure(ContainerFailure.Kind.SETUP, cause.getMessage());
    }
}
