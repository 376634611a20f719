package io.balena.engine.runtime.rootfs;

import static io.balena.engine.linux.OpenFlags.AT_FDCWD;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_BIND;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_PRIVATE;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_RDONLY;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_REC;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_REMOUNT;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_SLAVE;

import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The rows that give a container its view of files: root, mounts, devices, masked and read-only paths.
///
/// Until the last of them, [#addPivot], the child sees the host's files, its `/proc` among them; that is what makes
/// `/proc/self/fd/<n>` a safe way to name an open descriptor to mount(2). Every path in the container is resolved by openat2(2) with
/// the container's root as root, and mounted onto by its descriptor, so that no symbolic link, however quickly it is exchanged,
/// leads out (CVE-2021-30465).
public final class RootFilesystem {
    private static final long MNT_DETACH = 2;

    private final SyscallProgram program;
    private final RuntimeSpec spec;
    private final String rootPath;
    private final int sources;
    private final Destinations destinations;
    private final BindMounts binds;
    private final Devices devices;
    private final ProtectedPaths protectedPaths;

    /// Filesystems made by now that are to be read-only in the end: until then, there may be something to mount in them.
    private final List<RuntimeSpec.Mount> toBeReadonly = new ArrayList<>();

    /// @param free the child's lowest free descriptor
    /// @param sourcesFirst whether [#addBindSources] will be called
    public RootFilesystem(SyscallProgram program, RuntimeSpec spec, Path bundle, int free, boolean sourcesFirst) throws ContainerFailure {
        this.program = program;
        this.spec = spec;
        if (spec.root() == null || spec.root().path() == null || spec.root().path().isEmpty()) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "root path is missing");
        }
        this.rootPath = bundle.resolve(spec.root().path()).toString();
        this.sources = free;
        this.destinations = new Destinations(program, free + (sourcesFirst ? BindMounts.count(spec) : 0));
        this.binds = new BindMounts(program, destinations, bundle, sourcesFirst ? sources : -1);
        this.devices = new Devices(program, destinations);
        this.protectedPaths = new ProtectedPaths(program, destinations, spec.mounts());
    }

    /// Descriptor of the container's root.
    public int root() {
        return destinations.root();
    }

    /// The child's lowest free descriptor between [#addRoot] and [#addPivot].
    public int free() {
        return destinations.target();
    }

    /// The child's lowest free descriptor after [#addPivot].
    public int freeAfterPivot() {
        return sources;
    }

    /// Opens what bind mounts are to show, each as a descriptor of its own, for a child that may not do so later.
    public void addBindSources() throws ContainerFailure {
        for (int i = 0; i < spec.mounts().size(); i++) {
            var mount = spec.mounts().get(i);
            if (BindMounts.isMeant(mount)) binds.addSource(mount);
        }
    }

    public void addRoot() throws ContainerFailure {
        program.add(Syscall.UMASK, "umask", null, 0);
        long propagation = rootPropagation();
        program.add(Syscall.MOUNT, "set propagation of", "/", 0, program.text("/"), 0, propagation, 0);
        // The mount below the root must not be shared, or pivot_root(2) refuses it. Fails where the root is not a mount.
        long path = program.text(rootPath);
        if ((propagation & MS_SLAVE) == 0) {
            program.mayFail(program.add(Syscall.MOUNT, "make private", rootPath, 0, path, 0, MS_PRIVATE, 0));
        }
        program.add(
                Syscall.OPEN_TREE,
                "open rootfs",
                rootPath,
                AT_FDCWD,
                path,
                Destinations.OPEN_TREE_CLONE | Destinations.OPEN_TREE_CLOEXEC | Destinations.AT_RECURSIVE);
        program.add(Syscall.MOVE_MOUNT, "mount rootfs", rootPath, root(), destinations.empty(), AT_FDCWD, path, Destinations.MOVE_MOUNT_F_EMPTY_PATH);
    }

    private long rootPropagation() throws ContainerFailure {
        String propagation = spec.linux() == null ? null : spec.linux().rootfsPropagation();
        if (propagation == null || propagation.isEmpty()) return MS_SLAVE | MS_REC;
        long[] flags = MountOptions.of(List.of(propagation)).propagation();
        if (flags.length != 1) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "rootfsPropagation=" + propagation + " is not supported");
        }
        return flags[0];
    }

    public void addMounts(CgroupMount cgroups) throws ContainerFailure {
        for (int i = 0; i < spec.mounts().size(); i++) addMount(spec.mounts().get(i), cgroups);
    }

    private void addMount(RuntimeSpec.Mount mount, CgroupMount cgroups) throws ContainerFailure {
        String destination = mount.destination();
        if (destination == null || !destination.startsWith("/")) {
            throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "mount destination " + destination + " is not an absolute path");
        }
        ProcMounts.check(mount, rootPath);
        var options = MountOptions.of(mount.options());
        if (BindMounts.isMeant(mount)) {
            binds.add(mount, options);
        } else if ("cgroup".equals(mount.type()) || "cgroup2".equals(mount.type())) {
            cgroups.addTo(destinations, destination, options);
        } else {
            addNew(mount, options);
        }
    }

    private void addNew(RuntimeSpec.Mount mount, MountOptions options) {
        String type = mount.type();
        // Were /proc a link, it would be mounted where the image wants it, and what is masked below it would stay visible.
        var how = "proc".equals(type) || "sysfs".equals(type) ? Destinations.Kind.NO_LINKS : Destinations.Kind.ANYWHERE;
        destinations.open(mount.destination(), false, how);
        long source = mount.source() == null ? 0 : program.text(mount.source());
        long data = options.data() == null ? 0 : program.text(options.data());
        boolean later = "tmpfs".equals(type) && (options.flags() & MS_RDONLY) != 0;
        if (later) toBeReadonly.add(mount);
        program.add(
                Syscall.MOUNT,
                "mount " + type + " on",
                mount.destination(),
                source,
                destinations.targetPath(),
                program.text(type == null ? "" : type),
                later ? options.flags() & ~MS_RDONLY : options.flags(),
                data);
        destinations.closeTarget();
        if (options.propagation().length > 0) {
            destinations.open(mount.destination(), false, how);
            for (long flag : options.propagation()) {
                program.add(Syscall.MOUNT, "set propagation of", mount.destination(), 0, destinations.targetPath(), 0, flag, 0);
            }
            destinations.closeTarget();
        }
    }

    /// Devices every container has, those it was given, and the customary links; unless its `/dev` is the host's.
    public void addDevices() throws ContainerFailure {
        for (int i = 0; i < spec.mounts().size(); i++) {
            var mount = spec.mounts().get(i);
            if ("/dev".equals(mount.destination()) && BindMounts.isMeant(mount)) return;
        }
        devices.addDefault();
        if (spec.linux() == null) return;
        for (int i = 0; i < spec.linux().devices().size(); i++) devices.add(spec.linux().devices().get(i));
    }

    /// Makes the container's terminal its `/dev/console`.
    ///
    /// @param terminal descriptor of the side that is not the master
    public void addConsole(int terminal) {
        devices.addConsole(terminal);
    }

    /// Hides what the container may not see, and makes read-only what it may not change.
    public void addProtectedPaths() {
        for (int i = 0; i < toBeReadonly.size(); i++) {
            var mount = toBeReadonly.get(i);
            destinations.open(mount.destination(), false, Destinations.Kind.ANYWHERE);
            long flags = MountOptions.of(mount.options()).flags() | MS_REMOUNT | MS_BIND;
            program.add(Syscall.MOUNT, "remount read-only", mount.destination(), 0, destinations.targetPath(), 0, flags, 0);
            destinations.closeTarget();
        }
        if (spec.linux() == null) return;
        var readonly = spec.linux().readonlyPaths();
        for (int i = 0; i < readonly.size(); i++) protectedPaths.addReadonly(readonly.get(i));
        var masked = spec.linux().maskedPaths();
        for (int i = 0; i < masked.size(); i++) protectedPaths.addMasked(masked.get(i));
    }

    /// Makes sure, once the child waits, that what it has not protected does not exist.
    ///
    /// @throws ContainerFailure when a path could not be opened for another reason, e.g. because somebody renames folders meanwhile
    public void checkProtectedPaths() throws ContainerFailure {
        protectedPaths.check();
    }

    /// Leaves the host's files for good; afterwards the child's lowest free descriptor is [#freeAfterPivot].
    ///
    /// @param free the child's lowest free descriptor
    public void addPivot(int free) {
        long here = program.text(".");
        long slash = program.text("/");
        program.add(Syscall.OPENAT, "open", "/", AT_FDCWD, slash, OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.CLOEXEC);
        program.add(Syscall.FCHDIR, "chdir to rootfs", rootPath, root());
        program.add(Syscall.PIVOT_ROOT, "pivot_root to", rootPath, here, here);
        program.add(Syscall.FCHDIR, "chdir to old root", null, free);
        // Else the unmounting would reach the host where its mounts are shared.
        program.add(Syscall.MOUNT, "make slave", "old root", 0, here, 0, MS_SLAVE | MS_REC, 0);
        program.add(Syscall.UMOUNT2, "unmount", "old root", here, MNT_DETACH);
        program.add(Syscall.CHDIR, "chdir", "/", slash);
        program.add(Syscall.CLOSE, "close", null, free);
        if (spec.root().readonly()) {
            destinations.remount("remount read-only", "/", slash, MS_RDONLY);
        }
        if (sources < root()) program.add(Syscall.CLOSE_RANGE, "close_range", null, sources, root() - 1, 0);
        program.add(Syscall.CLOSE, "close", null, root());
    }

    /// To be called when the program's regular rows are complete.
    public void addExceptions() {
        destinations.addExceptions();
        devices.addExceptions();
    }
}
