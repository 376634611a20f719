package io.balena.engine.runtime.process;

import static io.balena.engine.linux.OpenFlags.AT_FDCWD;
import static io.balena.engine.linux.OpenFlags.RESOLVE_IN_ROOT;
import static io.balena.engine.linux.OpenFlags.RESOLVE_NO_MAGICLINKS;
import static io.balena.engine.linux.OpenFlags.RESOLVE_NO_SYMLINKS;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.ResourceLimit;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.seccomp.SeccompFilter;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The rows that turn a child into the process that `process` of the specification describes; the same for a container's first
/// process and for one that is executed into it.
///
/// The child's descriptors are numbered as the kernel does, lowest free first: 0, 1 and 2, then those it inherits,
/// then its gate, then what the rows open.
public final class ProcessSetup {

    private static final int X_OK = 1;

    private static final long PR_SET_KEEPCAPS = 8;
    private static final long PR_CAPBSET_DROP = 24;
    private static final long PR_SET_NO_NEW_PRIVS = 38;
    private static final long PR_CAP_AMBIENT = 47;
    private static final long PR_CAP_AMBIENT_RAISE = 2;
    private static final long CAPABILITY_VERSION_3 = 0x20080522;

    private static final int OPEN_TERMINAL = OpenFlags.RDWR | OpenFlags.NOCTTY;
    private static final int OPEN_FOLDER = OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.CLOEXEC;
    private static final long TIOCSPTLCK = 0x40045431;
    private static final long TIOCGPTPEER = 0x5441;
    private static final long TIOCSWINSZ = 0x5414;
    private static final long TIOCSCTTY = 0x540E;

    private static final long KEYCTL_JOIN_SESSION_KEYRING = 1;

    private static final long SECCOMP_SET_MODE_FILTER = 1;
    private static final long SIG_SETMASK = 2;

    private final SyscallProgram program;
    private final RuntimeSpec.Process process;
    private final String name;
    private final HostFacts host;

    private final List<String> candidates = new ArrayList<>();
    private int firstLookup;
    private int executeRow;
    private int gate;
    private int named = -1;

    public ProcessSetup(SyscallProgram program, RuntimeSpec.Process process, HostFacts host) throws ContainerFailure {
        this(program, process, process.args().isEmpty() ? "" : process.args().getFirst(), host);
    }

    /// @param name of the program, which need not be its first argument
    public ProcessSetup(SyscallProgram program, RuntimeSpec.Process process, String name, HostFacts host) throws ContainerFailure {
        this.program = program;
        this.process = process;
        this.name = name;
        this.host = host;
        if (name.isEmpty()) {
            throw new ContainerFailure(ContainerFailure.Kind.NOT_FOUND, "exec: \"\": executable file not found in $PATH");
        }
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

    /// Opens a new terminal of the container's devpts: its master becomes descriptor `free`, its other side `free + 1`.
    ///
    /// @param root descriptor of the container's root
    public void addTerminal(int root, int free, StandardStreams.Terminal terminal) {
        // Whoever can write to the image could have put anything at this name; no link is followed, and what is not the
        // multiplexer of a devpts fails the next call.
        long how = program.words(
                OPEN_TERMINAL | OpenFlags.CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
        program.add(Syscall.OPENAT2, "open", "/dev/pts/ptmx", root, program.text("/dev/pts/ptmx"), how, 24);
        program.add(Syscall.IOCTL, "unlock", "/dev/pts/ptmx", free, TIOCSPTLCK, program.space(4));
        program.add(Syscall.IOCTL, "open terminal of", "/dev/pts/ptmx", free, TIOCGPTPEER, OPEN_TERMINAL);
        if (terminal.rows() > 0 && terminal.columns() > 0) {
            // struct winsize { unsigned short rows, columns, x pixels, y pixels }
            long size = (terminal.rows() & 0xFFFF) | (terminal.columns() & 0xFFFFL) << 16;
            program.add(Syscall.IOCTL, "set size of", "/dev/pts/ptmx", free, TIOCSWINSZ, program.words(size));
        }
    }

    /// Makes the terminal's other side the standard streams and the terminal of the session.
    public void addControllingTerminal(int slave) {
        program.add(Syscall.IOCTL, "set controlling terminal", null, slave, TIOCSCTTY, 0);
        for (int i = 0; i < 3; i++) program.add(Syscall.DUP3, "dup3", "terminal", slave, i, 0);
        program.add(Syscall.CLOSE, "close", "terminal", slave);
    }

    public void addSession() {
        program.add(Syscall.SETSID, "setsid", null);
    }

    /// Sets the limits of a process that waits in a user namespace, where it could not raise them by itself. Elsewhere it does that as long
    /// as it has our user: of another, only who may raise limits may set any.
    void limitResources(int pid) throws IOException {
        if (!host.belowUsers()) return;
        for (int i = 0; i < process.rlimits().size(); i++) {
            var limit = process.rlimits().get(i);
            int resource = Rlimits.number(limit.type());
            try {
                ResourceLimit.set(pid, resource, limit.soft(), limit.hard());
            } catch (ErrnoException e) {
                throw new ContainerFailure(
                        ContainerFailure.Kind.SETUP, "error setting rlimits for ready process: error setting rlimit type " + resource + ": " + e.errno().text());
            }
        }
    }

    private void addLimits() throws ContainerFailure {
        if (host.belowUsers()) return;
        for (int i = 0; i < process.rlimits().size(); i++) {
            var limit = process.rlimits().get(i);
            int resource = Rlimits.number(limit.type());
            program.add(
                    Syscall.PRLIMIT64,
                    "error setting rlimits for ready process: error setting rlimit type",
                    resource,
                    0,
                    resource,
                    program.words(limit.soft(), limit.hard()),
                    0);
        }
    }

    /// From here on the process is inside the container: user, working folder, and the search for its program.
    ///
    /// @param chownStreams whether standard streams are to belong to its user; not for a `/dev/null`, which is everybody's
    /// @param free the child's lowest free descriptor
    public void addIdentity(boolean[] chownStreams, int free) throws ContainerFailure {
        addLimits();
        var user = process.user();
        if (user.uid() != 0) {
            for (int i = 0; i < 3; i++) {
                if (chownStreams[i]) program.mayFail(program.add(Syscall.FCHOWN, "chown", "stream", i, unsigned(user.uid()), -1));
            }
        }
        addWorkingFolder(free);
        program.add(Syscall.UMASK, "umask", null, user.umask() == null ? 022 : user.umask());

        var capabilities = process.capabilities();
        long bounding = capabilities == null ? 0 : CapabilitySet.of(capabilities.bounding());
        for (int c = 0; c <= host.lastCapability(); c++) {
            long bit = 1L << c;
            if ((bounding & bit) == 0 && (host.bounding() & bit) != 0) {
                program.add(Syscall.PRCTL, "drop from bounding set: capability", c, PR_CAPBSET_DROP, c, 0, 0, 0);
            }
        }
        if (user.uid() != 0) program.add(Syscall.PRCTL, "prctl", "PR_SET_KEEPCAPS", PR_SET_KEEPCAPS, 1, 0, 0, 0);
        addGroups(user);
        program.add(
                Syscall.SETRESUID, "setresuid", user.uid(), unsigned(user.uid()), unsigned(user.uid()), unsigned(user.uid()));
        // The change of user has emptied the effective set, which the following steps need.
        if (user.uid() != 0) addCapset(host.permitted(), host.permitted(), 0);
        addLookups();
    }

    private void addGroups(RuntimeSpec.User user) {
        int count = user.additionalGids().size();
        byte[] gids = new byte[count * 4];
        for (int i = 0; i < count; i++) {
            int gid = user.additionalGids().get(i);
            for (int b = 0; b < 4; b++) gids[i * 4 + b] = (byte) (gid >> 8 * b);
        }
        program.add(Syscall.SETGROUPS, "setgroups", null, count, program.bytes(gids));
        program.add(
                Syscall.SETRESGID, "setresgid", user.gid(), unsigned(user.gid()), unsigned(user.gid()), unsigned(user.gid()));
    }

    /// Goes to `cwd`, making it when it is missing. Magic links are refused: behind `/proc/<pid>/cwd` or a descriptor lies a folder
    /// that may be outside of the container (CVE-2024-21626).
    private void addWorkingFolder(int free) {
        String cwd = process.cwd();
        long how = program.words(OPEN_FOLDER, 0, RESOLVE_NO_MAGICLINKS);
        long path = program.text(cwd);
        int open = program.add(Syscall.OPENAT2, "chdir to cwd", cwd, AT_FDCWD, path, how, 24);
        int over = program.addJump();
        program.onFailure(open, program.next());
        for (int from = 1; from < cwd.length(); ) {
            int slash = cwd.indexOf('/', from);
            int end = slash < 0 ? cwd.length() : slash;
            String above = cwd.substring(0, from);
            // By the same rule, or folders would be made behind the links that are refused in the end.
            program.add(Syscall.OPENAT2, "chdir to cwd", cwd, AT_FDCWD, program.text(above), how, 24);
            long name = program.text(cwd.substring(from, end));
            program.mayFail(program.add(Syscall.MKDIRAT, "mkdir", cwd, free, name, 0755));
            program.add(Syscall.CLOSE, "close", above, free);
            from = end + 1;
        }
        program.add(Syscall.OPENAT2, "chdir to cwd", cwd, AT_FDCWD, path, how, 24);
        program.onFailure(over, program.next());
        program.add(Syscall.FCHDIR, "chdir to cwd", cwd, free);
        program.add(Syscall.CLOSE, "close", cwd, free);
    }

    /// Looks at every file the program's name may mean, as the container's user and from its working folder; which one it is, is
    /// decided by [#chooseExecutable] while the child waits.
    private void addLookups() {
        if (name.indexOf('/') >= 0) {
            candidates.add(name);
        } else {
            String search = searchPath();
            for (int from = 0; from <= search.length(); ) {
                int colon = search.indexOf(':', from);
                if (colon < 0) colon = search.length();
                String folder = search.substring(from, colon);
                // An empty entry means the working folder, where only fools look for programs; Go does not any more.
                if (!folder.isEmpty()) candidates.add(folder + "/" + name);
                from = colon + 1;
            }
        }
        firstLookup = program.next();
        for (int i = 0; i < candidates.size(); i++) {
            String candidate = candidates.get(i);
            long path = program.text(candidate);
            program.mayFail(program.add(Syscall.FACCESSAT, "access", candidate, AT_FDCWD, path, X_OK));
            program.mayFail(program.add(Syscall.OPENAT, "open", candidate, AT_FDCWD, path, OPEN_FOLDER));
        }
    }

    private String searchPath() {
        String path = "";
        for (int i = 0; i < process.env().size(); i++) {
            String variable = process.env().get(i);
            if (variable.startsWith("PATH=")) path = variable.substring(5);
        }
        return path;
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
        for (int signal = 1; signal <= 64; signal++) {
            if ((host.ignoredSignals() & 1L << (signal - 1)) != 0) {
                program.add(Syscall.RT_SIGACTION, "reset signal", signal, signal, program.space(32), 0, 8);
            }
        }
        program.add(Syscall.RT_SIGPROCMASK, "unblock signals", null, SIG_SETMASK, program.space(8), 0, 8);
        // What a filter forbids is forbidden to the rows behind it, so it comes as late as it can: last if nothing can be gained
        // any more, since anybody may then load one, else before the capability that it takes is given up.
        if (process.noNewPrivileges()) {
            addCapabilities();
            program.add(Syscall.PRCTL, "prctl", "PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            addFilter(filter);
        } else {
            addFilter(filter);
            addCapabilities();
        }
        executeRow = program.add(
                Syscall.EXECVE, "exec", name, 0, program.texts(process.args()), program.texts(process.env()));
        if (named >= 0) program.reportFailures(named, gate);
    }

    private void addFilter(SeccompFilter filter) {
        if (filter == null) return;
        // struct sock_fprog { unsigned short len; struct sock_filter *filter; }
        long fprog = program.words(filter.code().length / 8, program.bytes(filter.code()));
        program.add(Syscall.SECCOMP, "load seccomp filter", null, SECCOMP_SET_MODE_FILTER, filter.flags(), fprog);
    }

    private void addCapabilities() {
        var capabilities = process.capabilities();
        long allowed = host.permitted();
        long effective = capabilities == null ? 0 : CapabilitySet.of(capabilities.effective()) & allowed;
        long permitted = capabilities == null ? 0 : CapabilitySet.of(capabilities.permitted()) & allowed;
        long inheritable = capabilities == null ? 0 : CapabilitySet.of(capabilities.inheritable()) & host.bounding();
        long ambient = capabilities == null ? 0 : CapabilitySet.of(capabilities.ambient()) & permitted & inheritable;
        addCapset(effective & permitted, permitted, inheritable);
        for (int c = 0; c <= host.lastCapability(); c++) {
            if ((ambient & 1L << c) != 0) {
                program.add(Syscall.PRCTL, "raise ambient capability", c, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0);
            }
        }
    }

    private void addCapset(long effective, long permitted, long inheritable) {
        long header = program.words(CAPABILITY_VERSION_3);
        // struct { __u32 effective, permitted, inheritable; } for the lower and the upper half
        long low = 0xFFFFFFFFL;
        long data = program.words(
                effective & low | permitted << 32,
                inheritable & low | effective & ~low,
                permitted >>> 32 | inheritable & ~low);
        program.add(Syscall.CAPSET, "capset", null, header, data);
    }

    /// Decides which file is executed, once the child waits after [#addIdentity].
    ///
    /// @throws ContainerFailure when none can be; worded as runc does
    void chooseExecutable() throws ContainerFailure {
        for (int i = 0; i < candidates.size(); i++) {
            long access = program.result(firstLookup + 2 * i);
            long folder = program.result(firstLookup + 2 * i + 1);
            if (access == 0 && folder < 0) {
                program.argument(executeRow, 0, program.argument(firstLookup + 2 * i, 1));
                return;
            }
        }
        if (name.indexOf('/') < 0) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.NOT_FOUND, "exec: \"" + name + "\": executable file not found in $PATH");
        }
        throw unusable(name, program.result(firstLookup), program.result(firstLookup + 1) >= 0);
    }

    private static ContainerFailure unusable(String name, long access, boolean folder) {
        String quoted = "exec: \"" + name + "\": ";
        if (folder) return new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, quoted + "is a directory");
        return switch ((int) -access) {
            case 2 -> new ContainerFailure(
                    ContainerFailure.Kind.NOT_FOUND, quoted + "stat " + name + ": no such file or directory");
            case 20 -> new ContainerFailure(
                    ContainerFailure.Kind.NOT_FOUND, quoted + "stat " + name + ": not a directory");
            case 40 -> new ContainerFailure(
                    ContainerFailure.Kind.NOT_FOUND, quoted + "stat " + name + ": too many levels of symbolic links");
            default -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, quoted + "permission denied");
        };
    }

    /// What became of the child's execve, once it has left the gate for good.
    ///
    /// @throws ContainerFailure when it did not succeed
    void checkExecuted() throws ContainerFailure {
        int row = program.current();
        long result = program.result(row);
        if (row == executeRow && result == SyscallProgram.NOT_DONE) return;
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
        if (row != executeRow) return new ContainerFailure(ContainerFailure.Kind.SETUP, cause.getMessage());
        return notExecuted("exec " + name, cause);
    }

    /// What an execve that failed means.
    ///
    /// @param attempt e.g. `exec sh`
    public static ContainerFailure notExecuted(String attempt, ErrnoException cause) {
        String path = attempt + ": ";
        return switch (cause.errno()) {
            // The file was found before, so what is missing is the interpreter its first line or ELF header names.
            case ENOENT -> new ContainerFailure(ContainerFailure.Kind.NOT_FOUND, path + "no such file or directory");
            case ENOEXEC -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, path + "exec format error");
            case EACCES -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, path + "permission denied");
            case E2BIG -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, path + "argument list too long");
            default -> new ContainerFailure(ContainerFailure.Kind.NOT_EXECUTABLE, cause.getMessage());
        };
    }

    private static long unsigned(int id) {
        return id & 0xFFFFFFFFL;
    }
}
