package io.balena.engine.runtime.rootfs;

import static io.balena.engine.runtime.rootfs.MountOptions.MS_BIND;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NODEV;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NOEXEC;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NOSUID;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_RDONLY;

import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.util.ArrayList;
import java.util.List;

/// Rows that hide what the container may not see, and make read-only what it may not change.
final class ProtectedPaths {
    private static final int ENOENT = 2;
    private static final int ENOTDIR = 20;

    private final SyscallProgram program;
    private final Destinations destinations;
    private final List<RuntimeSpec.Mount> mounts;
    private final long nullDevice;
    private final long tmpfs;
    /// Rows that open what is to be hidden or made read-only.
    private final List<Integer> rows = new ArrayList<>();

    /// @param mounts what the paths may lie in
    ProtectedPaths(SyscallProgram program, Destinations destinations, List<RuntimeSpec.Mount> mounts) {
        this.program = program;
        this.destinations = destinations;
        this.mounts = mounts;
        this.nullDevice = program.text("/dev/null");
        this.tmpfs = program.text("tmpfs");
    }

    void addReadonly(String path) {
        int open = destinations.openExisting("open read-only path", path);
        long flags = Destinations.OPEN_TREE_CLONE
                | Destinations.OPEN_TREE_CLOEXEC
                | Destinations.AT_EMPTY_PATH
                | Destinations.AT_RECURSIVE;
        program.add(Syscall.OPEN_TREE, "open read-only path", path, destinations.target(), destinations.empty(), flags);
        destinations.attachTree("mount read-only", path);
        destinations.remount("remount read-only", path, destinations.treePath(), MS_RDONLY | inheritedFlags(path));
        destinations.closeTree();
        destinations.closeTarget();
        rows.add(program.onFailure(open, program.next()));
    }

    void addMasked(String path) {
        int open = destinations.openExisting("open masked path", path);
        int file = program.add(Syscall.MOUNT, "mask", path, nullDevice, destinations.targetPath(), 0, MS_BIND, 0);
        int over = program.addJump();
        program.onFailure(file, program.next());
        program.add(Syscall.MOUNT, "mask", path, tmpfs, destinations.targetPath(), tmpfs, MS_RDONLY, 0);
        program.onFailure(over, program.next());
        destinations.closeTarget();
        rows.add(program.onFailure(open, program.next()));
    }

    /// Makes sure, once the child waits, that what it has not protected does not exist.
    ///
    /// @throws ContainerFailure when a path could not be opened for another reason, e.g. because somebody renames folders meanwhile
    void check() throws ContainerFailure {
        for (int row : rows) {
            long result = program.result(row);
            if (result >= 0 || result == -ENOENT || result == -ENOTDIR) continue;
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP,
                    program.attempt(row) + " " + program.subject(row) + ": errno " + -result);
        }
    }

    /// A remount sets all flags anew, so those of the mount the path is on are repeated.
    private long inheritedFlags(String path) {
        long flags = 0;
        int longest = -1;
        for (int i = 0; i < mounts.size(); i++) {
            String destination = mounts.get(i).destination();
            if (destination.length() <= longest || !path.startsWith(destination)) continue;
            longest = destination.length();
            flags = MountOptions.of(mounts.get(i).options()).flags();
        }
        return flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC);
    }
}
