package io.balena.engine.runtime.cgroup;

import io.balena.engine.linux.Fd;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// The control groups of one container: one folder in each hierarchy of version 1, or one of version 2; made by us or by systemd.
///
/// @see <a href="https://docs.kernel.org/admin-guide/cgroup-v1/index.html">cgroup v1</a>
/// @see <a href="https://docs.kernel.org/admin-guide/cgroup-v2.html">cgroup v2</a>
public sealed interface Cgroup permits CgroupOfFolders, CgroupOfSystemd {
    /// @param path below the root of every hierarchy, e.g. `/docker/<id>`; or, for systemd to make them, `system.slice:docker:<id>`
    /// @throws ContainerFailure when it would lead out of the hierarchy, or is its root: all processes of a container's group are
    ///     ended with it
    static Cgroup at(Hierarchies hierarchies, String path) throws ContainerFailure {
        if (ScopeName.isMeant(path)) {
            var scope = ScopeName.parse(path);
            return new CgroupOfSystemd(scope, ofFolders(hierarchies, scope.folder()), hierarchies.v1().isEmpty());
        }
        boolean valid = false;
        for (String name : path.split("/")) {
            if (name.isEmpty()) continue;
            valid = true;
            if (name.equals("..") || name.equals(".")) {
                valid = false;
                break;
            }
        }
        if (!valid) throw new ContainerFailure(ContainerFailure.Kind.SETUP, "invalid cgroup path " + path);
        int start = 0;
        while (path.charAt(start) == '/') start++;
        return ofFolders(hierarchies, path.substring(start));
    }

    /// Where a container's are to be, for [#at].
    ///
    /// @param id also the group's name where the spec has none
    static String path(String id, RuntimeSpec spec) {
        String path = spec.linux() == null ? null : spec.linux().cgroupsPath();
        return path == null || path.isEmpty() ? "/" + id : path;
    }

    /// As [#path], where systemd is to make all groups.
    ///
    /// @throws ContainerFailure when the spec's path names no scope, or this host has no systemd; worded as runc does
    static String pathOfScope(String id, RuntimeSpec spec) throws ContainerFailure {
        String path = ScopeName.require(spec.linux() == null ? null : spec.linux().cgroupsPath(), id);
        // sd_booted(3)
        if (Files.isDirectory(Path.of("/run/systemd/system"))) return path;
        throw new ContainerFailure(ContainerFailure.Kind.SETUP, "systemd not running on this host, cannot use systemd cgroups manager");
    }

    private static Cgroup ofFolders(Hierarchies hierarchies, String relative) {
        return hierarchies.v1().isEmpty() ? new CgroupV2(hierarchies, relative) : new CgroupV1(hierarchies, relative);
    }

    /// Its folder below the root of each hierarchy.
    String relative();

    /// Whether its groups can only be made around a process: systemd makes none that are empty.
    default boolean needsProcess() {
        return false;
    }

    /// Makes the folders and sets the limits.
    ///
    /// @param pid of the first process, where the group [needs one][#needsProcess]
    void create(RuntimeSpec.Resources resources, int pid) throws IOException;

    /// Changes limits while the container runs; what `resources` leave out stays.
    ///
    /// @throws ContainerFailure when the kernel refuses one of them; then none has changed
    default void update(RuntimeSpec.Resources resources) throws IOException {
        update(resources, () -> {});
    }

    /// @param also asked when all is written; its refusal takes it back
    void update(RuntimeSpec.Resources resources, Agreement also) throws IOException;

    /// Somebody else who has to agree to a change.
    interface Agreement {
        void ask() throws IOException;
    }

    CgroupStats stats() throws IOException;

    /// Pids, in our pid namespace, of all its processes, those in groups the container has made included.
    List<Integer> members() throws IOException;

    /// As [#members], without groups below.
    List<Integer> ownMembers() throws IOException;

    /// The files a process writes `0` to, to become a member.
    List<String> membershipFiles();

    /// The folder of the group that a process can be made in instead, once it is there; empty where it must become a member of several.
    default Optional<Path> birthplace() {
        return Optional.empty();
    }

    /// @param frozen whether its processes are to stand still
    void freeze(boolean frozen) throws IOException;

    /// Whether there are processes in it, which is not so in a container that is yet to be made.
    boolean hasMembers() throws IOException;

    boolean isFrozen() throws IOException;

    /// Ends all its processes by SIGKILL, also frozen ones.
    void kill() throws IOException;

    /// [Kills][#kill] its processes and removes the folders. Does nothing where they are gone.
    void destroy() throws IOException;

    /// See `ContainerRuntime.watchOutOfMemory`.
    Optional<Fd> watchOutOfMemory() throws IOException;

    long outOfMemoryKills() throws IOException;
}
