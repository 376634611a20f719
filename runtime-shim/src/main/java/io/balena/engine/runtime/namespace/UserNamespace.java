package io.balena.engine.runtime.namespace;

import static io.balena.engine.runtime.namespace.Namespaces.CLONE_NEWCGROUP;
import static io.balena.engine.runtime.namespace.Namespaces.CLONE_NEWIPC;
import static io.balena.engine.runtime.namespace.Namespaces.CLONE_NEWPID;
import static io.balena.engine.runtime.namespace.Namespaces.CLONE_NEWUSER;

import io.balena.engine.linux.PidFd;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// How a new container comes into its user namespace, and its other namespaces come to belong to that one.
///
/// A child begins with the host's root as its user whatever namespace it is in: it opens what only that user may, and then
/// [becomes root][#addPossession] of its namespace.
public sealed interface UserNamespace {
    /// The host's.
    record None() implements UserNamespace {}

    /// A new one: clone(2) makes it before all others, which then belong to it.
    record Created(IdMappings given) implements UserNamespace {}

    /// That of another container. A process of many threads cannot join it, so the child does, and then makes the others.
    ///
    /// @param known empty when `path` does not say whose it is
    record Joined(String path, Optional<IdMappings> known) implements UserNamespace {}

    static UserNamespace of(RuntimeSpec.Linux linux, Namespaces namespaces) throws IOException {
        if (linux == null) return new None();
        String path = namespaces.path(CLONE_NEWUSER);
        if (path != null) return joined(path);
        var mappings = new IdMappings(linux.uidMappings(), linux.gidMappings());
        if (namespaces.creates(CLONE_NEWUSER)) {
            mappings.check();
            return new Created(mappings);
        }
        if (!mappings.users().isEmpty() || !mappings.groups().isEmpty()) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "User namespace mappings specified, but USER namespace isn't enabled in the config");
        }
        return new None();
    }

    /// Joining the one we are in is an error to the kernel and no wish for another.
    private static UserNamespace joined(String path) throws IOException {
        Path file = Path.of(path);
        if (Files.isSameFile(file, Path.of("/proc/self/ns/user"))) return new None();
        // /proc/<pid>/ns/user, which is how containers name each other's
        Path process = file.getParent() == null ? null : file.getParent().getParent();
        boolean known = process != null && Files.exists(process.resolve("uid_map"));
        return new Joined(path, known ? Optional.of(IdMappings.of(process)) : Optional.empty());
    }

    /// True when a process in it has other namespaces' rights than its host's root.
    default boolean exists() {
        return !(this instanceof None);
    }

    /// Empty when they are the host's, or unknown.
    default Optional<IdMappings> mappings() {
        return switch (this) {
            case None _ -> Optional.empty();
            case Created(IdMappings mappings) -> Optional.of(mappings);
            case Joined(_, Optional<IdMappings> mappings) -> mappings;
        };
    }

    /// What only the host's root may do for a child that waits.
    default void prepare(PidFd child) throws IOException {
        if (this instanceof Created(IdMappings mappings)) mappings.give(child.pid());
    }

    /// The namespaces the child is made in.
    default long flags(Namespaces namespaces) {
        return entersLater(namespaces) ? 0 : madeAtOnce(namespaces);
    }

    /// That of its control groups the child makes by itself, once it is where its view is to begin; and that of its message queues
    /// once it is root, to whom their root folder then belongs.
    private long madeAtOnce(Namespaces namespaces) {
        return namespaces.created() & ~(exists() ? CLONE_NEWCGROUP | CLONE_NEWIPC : CLONE_NEWCGROUP);
    }

    /// True when the child joins namespaces as the host's root first: it may not any more once its user namespace is another.
    private boolean entersLater(Namespaces namespaces) {
        return switch (this) {
            case None _ -> false;
            case Created _ -> namespaces.joinsAny() && namespaces.creates(CLONE_NEWPID);
            case Joined _ -> true;
        };
    }

    /// Rows by which the child joins namespaces, and gets what clone(2) could not give it.
    ///
    /// @param free the child's lowest free descriptor
    /// @return for [SyscallProgram#successor]; 0 when the child remains
    default long addEntry(SyscallProgram program, Namespaces namespaces, int free) {
        namespaces.addJoins(program, free);
        if (!entersLater(namespaces)) return 0;
        if (this instanceof Joined(String path, _)) Namespaces.addJoin(program, path, CLONE_NEWUSER, free);
        long flags = madeAtOnce(namespaces);
        if (namespaces.creates(CLONE_NEWPID)) return program.addSuccessor(flags);
        program.add(Syscall.UNSHARE, "unshare", "namespaces", flags);
        return 0;
    }

    /// Rows by which the child takes possession of the namespace.
    default void addPossession(SyscallProgram program, Namespaces namespaces) {
        if (!exists()) return;
        addBecomeRoot(program);
        if (namespaces.creates(CLONE_NEWIPC)) program.add(Syscall.UNSHARE, "unshare", "ipc namespace", CLONE_NEWIPC);
    }

    /// Rows by which a process of the namespace becomes its root, with all rights in it and none on the host.
    static void addBecomeRoot(SyscallProgram program) {
        program.add(Syscall.SETGROUPS, "setgroups", null, 0, 0);
        program.add(Syscall.SETRESGID, "setresgid", 0, 0, 0, 0);
        program.add(Syscall.SETRESUID, "setresuid", 0, 0, 0, 0);
    }
}
