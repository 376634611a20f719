package io.balena.engine.runtime.namespace;

import static io.balena.engine.linux.OpenFlags.AT_FDCWD;

import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Which namespaces a container has for itself, and which it shares with whom.
public final class Namespaces {
    public static final long CLONE_NEWNS = 0x20000;
    public static final long CLONE_NEWCGROUP = 0x02000000;
    public static final long CLONE_NEWUTS = 0x04000000;
    public static final long CLONE_NEWIPC = 0x08000000;
    public static final long CLONE_NEWUSER = 0x10000000;
    public static final long CLONE_NEWPID = 0x20000000;
    public static final long CLONE_NEWNET = 0x40000000;

    /// What a process can join after it was made; a pid namespace it can only be made in.
    private static final long ALL_BUT_PID = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;

    private static final long[] JOINED = {CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWNET, CLONE_NEWCGROUP};

    private final List<RuntimeSpec.Namespace> namespaces;
    private final long created;

    public Namespaces(List<RuntimeSpec.Namespace> namespaces) throws ContainerFailure {
        this.namespaces = namespaces;
        long listed = 0;
        long created = 0;
        for (int i = 0; i < namespaces.size(); i++) {
            var namespace = namespaces.get(i);
            long flag = flag(namespace.type());
            if ((listed & flag) != 0) throw invalid("namespace " + namespace.type() + " is listed twice");
            listed |= flag;
            if (isEmpty(namespace.path())) created |= flag;
        }
        this.created = created;
        if ((created & CLONE_NEWNS) == 0) {
            throw invalid("a container needs a mount namespace of its own");
        }
    }

    /// Those that are made new, as flags of clone(2).
    long created() {
        return created;
    }

    public boolean creates(long flag) {
        return (created & flag) != 0;
    }

    /// The namespace to join, or null.
    public String path(long flag) {
        for (int i = 0; i < namespaces.size(); i++) {
            var namespace = namespaces.get(i);
            if (!isEmpty(namespace.path()) && knownFlag(namespace.type()) == flag) return namespace.path();
        }
        return null;
    }

    /// True when it has one that is not the runtime's own, be it new or joined.
    public boolean separates(long flag) {
        return creates(flag) || path(flag) != null;
    }

    /// True when it is to join some namespace but those of pids and users, which are joined in ways of their own.
    boolean joinsAny() {
        for (long flag : JOINED) {
            if (path(flag) != null) return true;
        }
        return false;
    }

    /// Rows that join these.
    ///
    /// @param free the child's lowest free descriptor
    void addJoins(SyscallProgram program, int free) {
        for (long flag : JOINED) {
            String path = path(flag);
            if (path != null) addJoin(program, path, flag, free);
        }
    }

    static void addJoin(SyscallProgram program, String path, long flag, int free) {
        program.add(Syscall.OPENAT, "open namespace", path, AT_FDCWD, program.text(path), OpenFlags.CLOEXEC);
        program.add(Syscall.SETNS, "join namespace", path, free, flag);
        program.add(Syscall.CLOSE, "close", path, free);
    }

    /// What a process that was made in a container's pid namespace has yet to join.
    ///
    /// @param pid the container's first process
    /// As [#joinable], for a process that is followed by another.
    public static long joinableBySuccessor(int pid) throws IOException {
        return joinable(pid) | CLONE_NEWPID;
    }

    public static long joinable(int pid) throws IOException {
        // The kernel refuses to join the user namespace one is in.
        return isInOtherUserNamespace(pid) ? ALL_BUT_PID | CLONE_NEWUSER : ALL_BUT_PID;
    }

    public static boolean isInOtherUserNamespace(int pid) throws IOException {
        return !Files.isSameFile(Path.of("/proc/" + pid + "/ns/user"), Path.of("/proc/self/ns/user"));
    }

    private static boolean isEmpty(String path) {
        return path == null || path.isEmpty();
    }

    private static long flag(String type) throws ContainerFailure {
        long flag = knownFlag(type);
        if (flag == 0) throw invalid("unknown namespace type \"" + type + "\"");
        return flag;
    }

    private static long knownFlag(String type) {
        if (type == null) return 0;
        return switch (type) {
            case "mount" -> CLONE_NEWNS;
            case "cgroup" -> CLONE_NEWCGROUP;
            case "uts" -> CLONE_NEWUTS;
            case "ipc" -> CLONE_NEWIPC;
            case "user" -> CLONE_NEWUSER;
            case "pid" -> CLONE_NEWPID;
            case "network" -> CLONE_NEWNET;
            default -> 0;
        };
    }

    private static ContainerFailure invalid(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
