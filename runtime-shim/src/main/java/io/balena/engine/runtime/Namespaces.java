package io.balena.engine.runtime;

import java.util.List;

/// Which namespaces a container has for itself, and which it shares with whom.
final class Namespaces {
    static final long CLONE_NEWNS = 0x20000;
    static final long CLONE_NEWCGROUP = 0x02000000;
    static final long CLONE_NEWUTS = 0x04000000;
    static final long CLONE_NEWIPC = 0x08000000;
    static final long CLONE_NEWUSER = 0x10000000;
    static final long CLONE_NEWPID = 0x20000000;
    static final long CLONE_NEWNET = 0x40000000;

    /// What a process can join after it was made; a pid namespace it can only be made in.
    static final long ALL_BUT_PID = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;

    private final List<RuntimeSpec.Namespace> namespaces;
    private final long created;

    Namespaces(List<RuntimeSpec.Namespace> namespaces) throws ContainerFailure {
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
        if ((listed & CLONE_NEWUSER) != 0) throw invalid("user namespaces are not supported yet");
    }

    /// Those that are made new, as flags of clone(2).
    long created() {
        return created;
    }

    boolean creates(long flag) {
        return (created & flag) != 0;
    }

    /// The namespace to join, or null.
    String path(long flag) {
        for (int i = 0; i < namespaces.size(); i++) {
            var namespace = namespaces.get(i);
            if (!isEmpty(namespace.path()) && knownFlag(namespace.type()) == flag) return namespace.path();
        }
        return null;
    }

    /// True when it has one that is not the runtime's own, be it new or joined.
    boolean separates(long flag) {
        return creates(flag) || path(flag) != null;
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
