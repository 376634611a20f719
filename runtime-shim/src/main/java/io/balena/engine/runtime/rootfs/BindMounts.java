package io.balena.engine.runtime.rootfs;

import static io.balena.engine.linux.OpenFlags.AT_FDCWD;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_BIND;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_REC;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_REMOUNT;

import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.nio.file.Files;
import java.nio.file.Path;

/// Rows that show files of the host in the container.
final class BindMounts {
    private final SyscallProgram program;
    private final Destinations destinations;
    private final Path bundle;
    /// The first of the descriptors that [#addSource] opens; negative when each is opened as it is mounted.
    private final int sources;
    private int sourcesUsed;

    BindMounts(SyscallProgram program, Destinations destinations, Path bundle, int sources) {
        this.program = program;
        this.destinations = destinations;
        this.bundle = bundle;
        this.sources = sources;
    }

    static boolean isMeant(RuntimeSpec.Mount mount) {
        return "bind".equals(mount.type()) || MountOptions.of(mount.options()).isBind();
    }

    static int count(RuntimeSpec spec) {
        int count = 0;
        for (int i = 0; i < spec.mounts().size(); i++) {
            if (isMeant(spec.mounts().get(i))) count++;
        }
        return count;
    }

    /// Opens what a mount is to show, as a descriptor of its own, for a child that may not do so later.
    void addSource(RuntimeSpec.Mount mount) throws ContainerFailure {
        Path source = source(mount);
        long recursive = MountOptions.of(mount.options()).isRecursive() ? Destinations.AT_RECURSIVE : 0;
        long flags = Destinations.OPEN_TREE_CLONE | Destinations.OPEN_TREE_CLOEXEC | recursive;
        program.add(Syscall.OPEN_TREE, "bind mount source", source, AT_FDCWD, program.text(source.toString()), flags);
    }

    void add(RuntimeSpec.Mount mount, MountOptions options) throws ContainerFailure {
        Path source = source(mount);
        String attempt = "mount " + source + " on";
        boolean isFolder = Files.isDirectory(source);
        destinations.open(mount.destination(), !isFolder, isFolder ? Destinations.Kind.FOLDER : Destinations.Kind.ANYWHERE);
        if (!isFolder) addRefusalOfFolders(attempt, mount.destination());
        if (sources < 0) {
            addSource(mount);
        } else {
            program.add(Syscall.DUP3, "dup3", source, sources + sourcesUsed++, destinations.tree(), OpenFlags.CLOEXEC);
        }
        destinations.attachTree(attempt, mount.destination());
        long changes = options.flags() & ~(MS_BIND | MS_REC | MS_REMOUNT);
        if (changes != 0) destinations.remount("remount", mount.destination(), destinations.treePath(), changes);
        if ((options.recursiveSet() | options.recursiveClear()) != 0) {
            // struct mount_attr { attr_set, attr_clr, propagation, userns_fd }; its flags have the numbers of MS_RDONLY to MS_NOEXEC.
            long attributes = program.words(options.recursiveSet(), options.recursiveClear(), 0, 0);
            program.add(
                    Syscall.MOUNT_SETATTR,
                    "set recursive attributes of",
                    mount.destination(),
                    destinations.tree(),
                    destinations.empty(),
                    Destinations.AT_EMPTY_PATH | Destinations.AT_RECURSIVE,
                    attributes,
                    Destinations.MOUNT_ATTRIBUTES_BYTES);
        }
        for (long flag : options.propagation()) {
            program.add(Syscall.MOUNT, "set propagation of", mount.destination(), 0, destinations.treePath(), 0, flag, 0);
        }
        destinations.closeTree();
        destinations.closeTarget();
    }

    /// A file cannot be mounted on a folder, for which the kernel has no better word than EINVAL.
    private void addRefusalOfFolders(String attempt, String destination) {
        long flags = OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.CLOEXEC;
        int isFolder = program.add(Syscall.OPENAT, attempt, destination, destinations.target(), program.text("."), flags);
        program.add(Syscall.OPENAT, attempt, destination, AT_FDCWD, program.text("/dev/null"), flags); // ENOTDIR
        program.onFailure(isFolder, program.next());
    }

    private Path source(RuntimeSpec.Mount mount) throws ContainerFailure {
        if (mount.source() == null) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "bind mount on " + mount.destination() + " has no source");
        }
        return bundle.resolve(mount.source());
    }
}
