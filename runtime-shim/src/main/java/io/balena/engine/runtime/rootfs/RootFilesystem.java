package io.balena.engine.runtime.rootfs;

import static io.balena.engine.linux.OpenFlags.AT_FDCWD;
import static io.balena.engine.linux.OpenFlags.RESOLVE_IN_ROOT;
import static io.balena.engine.linux.OpenFlags.RESOLVE_NO_MAGICLINKS;
import static io.balena.engine.linux.OpenFlags.RESOLVE_NO_SYMLINKS;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_BIND;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NODEV;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NOEXEC;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NOSUID;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_PRIVATE;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_RDONLY;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_REC;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_REMOUNT;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_SLAVE;

import io.balena.engine.linux.FileStat;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.nio.file.Files;
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
    private static final long AT_EMPTY_PATH = 0x1000;
    private static final long AT_RECURSIVE = 0x8000;
    private static final long OPEN_TREE_CLONE = 1;
    private static final long OPEN_TREE_CLOEXEC = OpenFlags.CLOEXEC;
    private static final long MOVE_MOUNT_F_EMPTY_PATH = 4;
    private static final long MOVE_MOUNT_T_EMPTY_PATH = 0x40;
    private static final long MNT_DETACH = 2;
    private static final int MOUNT_ATTRIBUTES_BYTES = 32;
    private static final int ENOENT = 2;
    private static final int ENOTDIR = 20;

    private final SyscallProgram program;
    private final RuntimeSpec spec;
    private final Path bundle;
    private final String rootPath;
    private final int root;
    private final int sources;
    private final int target;
    private final int tree;

    private final long empty;
    private final long targetPath;
    private final long treePath;
    private final long anywhere;
    private final long noLinks;
    private final long folder;
    private final long emptyFile;
    private final long whateverIsThere;

    /// How many of the descriptors from [#addBindSources] have been mounted.
    private int sourcesUsed;
    /// Blocks of rows that are only reached by jumps, to be added behind the program's end.
    private final List<MissingDestination> missing = new ArrayList<>();
    private final List<UnmadeDevice> unmade = new ArrayList<>();
    /// Rows that open what is to be hidden or made read-only.
    private final List<Integer> protectedRows = new ArrayList<>();

    /// Filesystems made by now that are to be read-only in the end: until then, there may be something to mount in them.
    private final List<RuntimeSpec.Mount> toBeReadonly = new ArrayList<>();

    private record MissingDestination(int row, String path, boolean isFile, long how) {}

    /// @param after the row to go on with
    private record UnmadeDevice(int row, RuntimeSpec.Device device, int after) {}

    /// @param free the child's lowest free descriptor
    /// @param sourcesFirst whether [#addBindSources] will be called
    public RootFilesystem(SyscallProgram program, RuntimeSpec spec, Path bundle, int free, boolean sourcesFirst) throws ContainerFailure {
        this.program = program;
        this.spec = spec;
        this.bundle = bundle;
        if (spec.root() == null || spec.root().path() == null || spec.root().path().isEmpty()) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "root path is missing");
        }
        this.rootPath = bundle.resolve(spec.root().path()).toString();
        this.sources = free;
        this.root = free + (sourcesFirst ? bindCount(spec) : 0);
        this.target = root + 1;
        this.tree = root + 2;
        this.empty = program.text("");
        this.targetPath = program.text("/proc/self/fd/" + target);
        this.treePath = program.text("/proc/self/fd/" + tree);
        this.anywhere = program.words(OpenFlags.PATH | OpenFlags.CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        this.noLinks =
                program.words(OpenFlags.PATH | OpenFlags.CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
        this.folder = program.words(OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        this.whateverIsThere =
                program.words(OpenFlags.PATH | OpenFlags.NOFOLLOW | OpenFlags.CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        this.emptyFile = program.words(
                OpenFlags.CREAT | OpenFlags.NOFOLLOW | OpenFlags.NONBLOCK | OpenFlags.NOCTTY | OpenFlags.CLOEXEC, 0666, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    }

    /// Descriptor of the container's root.
    public int root() {
        return root;
    }

    /// The child's lowest free descriptor between [#addRoot] and [#addPivot].
    public int free() {
        return target;
    }

    /// The child's lowest free descriptor after [#addPivot].
    public int freeAfterPivot() {
        return sources;
    }

    /// Opens what bind mounts are to show, each as a descriptor of its own, for a child that may not do so later.
    public void addBindSources() throws ContainerFailure {
        for (int i = 0; i < spec.mounts().size(); i++) {
            var mount = spec.mounts().get(i);
            if (isBind(mount)) addOpenSource(mount);
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
                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        program.add(Syscall.MOVE_MOUNT, "mount rootfs", rootPath, root, empty, AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
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
        if (isBind(mount)) {
            addBind(mount, options);
        } else if ("cgroup".equals(mount.type()) || "cgroup2".equals(mount.type())) {
            cgroups.addTo(this, destination, options);
        } else {
            addNew(mount, options);
        }
    }

    private void addNew(RuntimeSpec.Mount mount, MountOptions options) {
        String type = mount.type();
        // Were /proc a link, it would be mounted where the image wants it, and what is masked below it would stay visible.
        long how = "proc".equals(type) || "sysfs".equals(type) ? noLinks : anywhere;
        openDestination(mount.destination(), false, how);
        long source = mount.source() == null ? 0 : program.text(mount.source());
        long data = options.data() == null ? 0 : program.text(options.data());
        boolean later = "tmpfs".equals(type) && (options.flags() & MS_RDONLY) != 0;
        if (later) toBeReadonly.add(mount);
        program.add(
                Syscall.MOUNT,
                "mount " + type + " on",
                mount.destination(),
                source,
                targetPath,
                program.text(type == null ? "" : type),
                later ? options.flags() & ~MS_RDONLY : options.flags(),
                data);
        close(target);
        if (options.propagation().length > 0) {
            openDestination(mount.destination(), false, how);
            for (long flag : options.propagation()) {
                program.add(Syscall.MOUNT, "set propagation of", mount.destination(), 0, targetPath, 0, flag, 0);
            }
            close(target);
        }
    }

    private static boolean isBind(RuntimeSpec.Mount mount) {
        return "bind".equals(mount.type()) || MountOptions.of(mount.options()).isBind();
    }

    private static int bindCount(RuntimeSpec spec) {
        int count = 0;
        for (int i = 0; i < spec.mounts().size(); i++) {
            if (isBind(spec.mounts().get(i))) count++;
        }
        return count;
    }

    private Path source(RuntimeSpec.Mount mount) throws ContainerFailure {
        if (mount.source() == null) {
            throw new ContainerFailure(ContainerFailure.Kind.SETUP, "bind mount on " + mount.destination() + " has no source");
        }
        return bundle.resolve(mount.source());
    }

    private void addOpenSource(RuntimeSpec.Mount mount) throws ContainerFailure {
        Path source = source(mount);
        long recursive = MountOptions.of(mount.options()).isRecursive() ? AT_RECURSIVE : 0;
        long flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive;
        program.add(Syscall.OPEN_TREE, "bind mount source", source, AT_FDCWD, program.text(source.toString()), flags);
    }

    private void addBind(RuntimeSpec.Mount mount, MountOptions options) throws ContainerFailure {
        Path source = source(mount);
        String attempt = "mount " + source + " on";
        boolean isFolder = Files.isDirectory(source);
        openDestination(mount.destination(), !isFolder, isFolder ? folder : anywhere);
        if (!isFolder) addRefusalOfFolders(attempt, mount.destination());
        if (sources == root) {
            addOpenSource(mount);
        } else {
            program.add(Syscall.DUP3, "dup3", source, sources + sourcesUsed++, tree, OpenFlags.CLOEXEC);
        }
        attachTree(attempt, mount.destination());
        long changes = options.flags() & ~(MS_BIND | MS_REC | MS_REMOUNT);
        if (changes != 0) remount("remount", mount.destination(), treePath, changes);
        if ((options.recursiveSet() | options.recursiveClear()) != 0) {
            // struct mount_attr { attr_set, attr_clr, propagation, userns_fd }; its flags have the numbers of MS_RDONLY to MS_NOEXEC.
            long attributes = program.words(options.recursiveSet(), options.recursiveClear(), 0, 0);
            program.add(
                    Syscall.MOUNT_SETATTR,
                    "set recursive attributes of",
                    mount.destination(),
                    tree,
                    empty,
                    AT_EMPTY_PATH | AT_RECURSIVE,
                    attributes,
                    MOUNT_ATTRIBUTES_BYTES);
        }
        for (long flag : options.propagation()) {
            program.add(Syscall.MOUNT, "set propagation of", mount.destination(), 0, treePath, 0, flag, 0);
        }
        close(tree);
        close(target);
    }

    /// Gives a mount these flags and no others. Where it has some from outside that it must keep, as in a user namespace, they are
    /// added to those.
    private void remount(String attempt, String destination, long path, long flags) {
        int exactly = program.add(Syscall.MOUNT, attempt, destination, 0, path, 0, flags | MS_REMOUNT | MS_BIND, 0);
        int over = program.addJump();
        program.onFailure(exactly, program.next());
        long attributes = program.words(flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC), 0, 0, 0);
        program.add(Syscall.MOUNT_SETATTR, attempt, destination, AT_FDCWD, path, 0, attributes, MOUNT_ATTRIBUTES_BYTES);
        program.onFailure(over, program.next());
    }

    /// A file cannot be mounted on a folder, for which the kernel has no better word than EINVAL.
    private void addRefusalOfFolders(String attempt, String destination) {
        long flags = OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.CLOEXEC;
        int isFolder = program.add(Syscall.OPENAT, attempt, destination, target, program.text("."), flags);
        program.add(Syscall.OPENAT, attempt, destination, AT_FDCWD, program.text("/dev/null"), flags); // ENOTDIR
        program.onFailure(isFolder, program.next());
    }

    /// Mounts the detached tree that was opened last onto the destination that was opened before it.
    private void attachTree(String attempt, String destination) {
        program.add(
                Syscall.MOVE_MOUNT,
                attempt,
                destination,
                tree,
                empty,
                target,
                empty,
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    }

    /// Opens what a mount is to cover; makes it when it is missing.
    private void openDestination(String path, boolean isFile, long how) {
        int row = program.add(Syscall.OPENAT2, "open mount destination", path, root, program.text(path), how, 24);
        missing.add(new MissingDestination(row, path, isFile, how));
    }

    void openFolder(String path) {
        openDestination(path, false, folder);
    }

    /// Mounts a filesystem on `name`, a folder directly in the folder that was opened last.
    void addMountBelow(String name, String destination, String type, long flags, String data) {
        program.add(Syscall.MKDIRAT, "mkdir", destination, target, program.text(name), 0755);
        program.add(
                Syscall.MOUNT,
                "mount " + type + " on",
                destination,
                program.text("cgroup"),
                program.text("/proc/self/fd/" + target + "/" + name),
                program.text(type),
                flags,
                data == null ? 0 : program.text(data));
    }

    /// Binds a folder of the host on `name`, a folder directly in the folder that was opened last.
    void addBindBelow(String name, String destination, String source, long flags) {
        program.add(Syscall.MKDIRAT, "mkdir", destination, target, program.text(name), 0755);
        long path = program.text("/proc/self/fd/" + target + "/" + name);
        program.add(Syscall.MOUNT, "mount " + source + " on", destination, program.text(source), path, 0, MS_BIND | MS_REC, 0);
        program.add(Syscall.MOUNT, "remount", destination, 0, path, 0, MS_BIND | MS_REMOUNT | flags, 0);
    }

    void addLinkBelow(String name, String to) {
        program.mayFail(program.add(Syscall.SYMLINKAT, "symlink", name, program.text(to), target, program.text(name)));
    }

    void addMountOnFolder(String destination, String type, long flags, String data) {
        program.add(
                Syscall.MOUNT,
                "mount " + type + " on",
                destination,
                program.text(type),
                targetPath,
                program.text(type),
                flags,
                data == null ? 0 : program.text(data));
    }

    void addRemountOnFolder(String destination, long flags) {
        program.add(Syscall.MOUNT, "remount", destination, 0, targetPath, 0, MS_BIND | MS_REMOUNT | flags, 0);
    }

    void closeFolder() {
        close(target);
    }

    /// Devices every container has, those it was given, and the customary links; unless its `/dev` is the host's.
    public void addDevices() throws ContainerFailure {
        for (int i = 0; i < spec.mounts().size(); i++) {
            var mount = spec.mounts().get(i);
            if ("/dev".equals(mount.destination()) && isBind(mount)) return;
        }
        openFolder("/dev");
        addDefaultDevice("null", 1, 3);
        addDefaultDevice("zero", 1, 5);
        addDefaultDevice("full", 1, 7);
        addDefaultDevice("random", 1, 8);
        addDefaultDevice("urandom", 1, 9);
        addDefaultDevice("tty", 5, 0);
        addLinkBelow("fd", "/proc/self/fd");
        addLinkBelow("stdin", "/proc/self/fd/0");
        addLinkBelow("stdout", "/proc/self/fd/1");
        addLinkBelow("stderr", "/proc/self/fd/2");
        if (Files.exists(Path.of("/proc/kcore"))) addLinkBelow("core", "/proc/kcore");
        program.mayFail(program.add(Syscall.UNLINKAT, "unlink", "/dev/ptmx", target, program.text("ptmx"), 0));
        addLinkBelow("ptmx", "pts/ptmx");
        close(target);
        if (spec.linux() == null) return;
        for (int i = 0; i < spec.linux().devices().size(); i++) {
            var device = spec.linux().devices().get(i);
            String path = device.path();
            if (path == null || !path.startsWith("/") || path.endsWith("/")) {
                throw new ContainerFailure(ContainerFailure.Kind.SETUP, "device path " + path + " is not an absolute path");
            }
            int slash = path.lastIndexOf('/');
            openFolder(slash == 0 ? "/" : path.substring(0, slash));
            addDevice(path.substring(slash + 1), device);
            close(target);
        }
    }

    private void addDefaultDevice(String name, long major, long minor) throws ContainerFailure {
        addDevice(name, new RuntimeSpec.Device("/dev/" + name, "c", major, minor, null, null, null));
    }

    private void addDevice(String name, RuntimeSpec.Device device) throws ContainerFailure {
        long mode = (device.fileMode() == null ? 0666 : device.fileMode() & 07777) | fileType(device);
        long path = program.text(name);
        long number = device.minor() & 0xff | (device.major() & 0xfff) << 8 | (device.minor() & ~0xffL) << 12;
        int row = program.add(Syscall.MKNODAT, "mknod", device.path(), target, path, mode, number);
        int uid = device.uid() == null ? 0 : device.uid();
        int gid = device.gid() == null ? 0 : device.gid();
        if (uid != 0 || gid != 0) {
            program.add(Syscall.FCHOWNAT, "chown", device.path(), target, path, uid & 0xFFFFFFFFL, gid & 0xFFFFFFFFL, 0x100);
        }
        unmade.add(new UnmadeDevice(row, device, program.next()));
    }

    private static long fileType(RuntimeSpec.Device device) throws ContainerFailure {
        return switch (device.type() == null ? "" : device.type()) {
            case "c", "u" -> FileStat.CHARACTER_DEVICE;
            case "b" -> FileStat.BLOCK_DEVICE;
            case "p" -> FileStat.FIFO;
            default -> throw new ContainerFailure(
                    ContainerFailure.Kind.SETUP, "device " + device.path() + " has no valid type: " + device.type());
        };
    }

    /// Makes the container's terminal its `/dev/console`.
    ///
    /// @param terminal descriptor of the side that is not the master
    public void addConsole(int terminal) {
        openDestinationAs("/dev/console", terminal + 1);
        program.add(
                Syscall.OPEN_TREE,
                "open terminal",
                "/dev/console",
                terminal,
                empty,
                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        program.add(
                Syscall.MOVE_MOUNT,
                "mount terminal on",
                "/dev/console",
                terminal + 2,
                empty,
                terminal + 1,
                empty,
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
        close(terminal + 2);
        close(terminal + 1);
    }

    private void openDestinationAs(String path, int expected) {
        int create = program.add(Syscall.OPENAT2, "create", path, root, program.text(path), emptyFile, 24);
        program.atLeast(create, expected);
    }

    /// Hides what the container may not see, and makes read-only what it may not change.
    public void addProtectedPaths() {
        for (int i = 0; i < toBeReadonly.size(); i++) {
            var mount = toBeReadonly.get(i);
            openDestination(mount.destination(), false, anywhere);
            long flags = MountOptions.of(mount.options()).flags() | MS_REMOUNT | MS_BIND;
            program.add(Syscall.MOUNT, "remount read-only", mount.destination(), 0, targetPath, 0, flags, 0);
            close(target);
        }
        if (spec.linux() == null) return;
        long nullDevice = program.text("/dev/null");
        long tmpfs = program.text("tmpfs");
        var readonly = spec.linux().readonlyPaths();
        for (int i = 0; i < readonly.size(); i++) {
            String path = readonly.get(i);
            int open = program.add(Syscall.OPENAT2, "open read-only path", path, root, program.text(path), anywhere, 24);
            program.add(
                    Syscall.OPEN_TREE,
                    "open read-only path",
                    path,
                    target,
                    empty,
                    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
            attachTree("mount read-only", path);
            remount("remount read-only", path, treePath, MS_RDONLY | inheritedFlags(path));
            close(tree);
            close(target);
            protectedRows.add(program.onFailure(open, program.next()));
        }
        var masked = spec.linux().maskedPaths();
        for (int i = 0; i < masked.size(); i++) {
            String path = masked.get(i);
            int open = program.add(Syscall.OPENAT2, "open masked path", path, root, program.text(path), anywhere, 24);
            int file = program.add(Syscall.MOUNT, "mask", path, nullDevice, targetPath, 0, MS_BIND, 0);
            int over = program.addJump();
            program.onFailure(file, program.next());
            program.add(Syscall.MOUNT, "mask", path, tmpfs, targetPath, tmpfs, MS_RDONLY, 0);
            program.onFailure(over, program.next());
            close(target);
            protectedRows.add(program.onFailure(open, program.next()));
        }
    }

    /// Makes sure, once the child waits, that what it has not protected does not exist.
    ///
    /// @throws ContainerFailure when a path could not be opened for another reason, e.g. because somebody renames folders meanwhile
    public void checkProtectedPaths() throws ContainerFailure {
        for (int row : protectedRows) {
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
        for (int i = 0; i < spec.mounts().size(); i++) {
            String destination = spec.mounts().get(i).destination();
            if (destination.length() <= longest || !path.startsWith(destination)) continue;
            longest = destination.length();
            flags = MountOptions.of(spec.mounts().get(i).options()).flags();
        }
        return flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC);
    }

    /// Leaves the host's files for good; afterwards the child's lowest free descriptor is [#freeAfterPivot].
    ///
    /// @param free the child's lowest free descriptor
    public void addPivot(int free) {
        long here = program.text(".");
        long slash = program.text("/");
        program.add(Syscall.OPENAT, "open", "/", AT_FDCWD, slash, OpenFlags.PATH | OpenFlags.DIRECTORY | OpenFlags.CLOEXEC);
        program.add(Syscall.FCHDIR, "chdir to rootfs", rootPath, root);
        program.add(Syscall.PIVOT_ROOT, "pivot_root to", rootPath, here, here);
        program.add(Syscall.FCHDIR, "chdir to old root", null, free);
        // Else the unmounting would reach the host where its mounts are shared.
        program.add(Syscall.MOUNT, "make slave", "old root", 0, here, 0, MS_SLAVE | MS_REC, 0);
        program.add(Syscall.UMOUNT2, "unmount", "old root", here, MNT_DETACH);
        program.add(Syscall.CHDIR, "chdir", "/", slash);
        close(free);
        if (spec.root().readonly()) {
            remount("remount read-only", "/", slash, MS_RDONLY);
        }
        if (sources < root) program.add(Syscall.CLOSE_RANGE, "close_range", null, sources, root - 1, 0);
        close(root);
    }

    /// To be called when the program's regular rows are complete.
    public void addExceptions() {
        for (int i = 0; i < missing.size(); i++) {
            var it = missing.get(i);
            program.onFailure(it.row(), program.next());
            addMissing(it);
        }
        for (int i = 0; i < unmade.size(); i++) {
            var it = unmade.get(i);
            program.onFailure(it.row(), program.next());
            addUnmade(it);
        }
    }

    private void addMissing(MissingDestination destination) {
        String path = destination.path();
        int from = 1;
        while (from <= path.length()) {
            int slash = path.indexOf('/', from);
            if (slash < 0) slash = path.length();
            if (slash > from) {
                String parent = path.substring(0, from);
                String name = path.substring(from, slash);
                boolean last = slash >= path.length();
                program.add(Syscall.OPENAT2, "open mount destination", parent, root, program.text(parent), folder, 24);
                int row = last && destination.isFile()
                        ? program.add(
                                Syscall.MKNODAT, "create mount destination", path, target, program.text(name), 0100755, 0)
                        : program.add(Syscall.MKDIRAT, "create mount destination", path, target, program.text(name), 0755);
                program.mayFail(row);
                close(target);
            }
            from = slash + 1;
        }
        program.add(Syscall.OPENAT2, "open mount destination", path, root, program.text(path), destination.how(), 24);
        program.onFailure(program.addJump(), destination.row() + 1);
    }

    /// A device that is there already stays: `/dev` is the container's own, so one of the customary ones was asked for again. It
    /// is not opened for that, since opening a device can do things. Where devices cannot be made, as in a user namespace, the
    /// host's one is bound on the name.
    private void addUnmade(UnmadeDevice unmade) {
        String path = unmade.device().path();
        // The folder is open as `target`; the file becomes `tree`.
        int existing = program.add(Syscall.OPENAT2, "open device", path, root, program.text(path), whateverIsThere, 24);
        close(tree);
        program.onFailure(program.addJump(), unmade.after());
        program.onFailure(existing, program.next());
        program.add(Syscall.OPENAT2, "create device", path, root, program.text(path), emptyFile, 24);
        program.add(Syscall.MOUNT, "bind device", path, program.text(path), treePath, 0, MS_BIND, 0);
        close(tree);
        program.onFailure(program.addJump(), unmade.after());
    }

    private void close(int descriptor) {
        program.add(Syscall.CLOSE, "close", null, descriptor);
    }
}
