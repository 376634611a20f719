package io.balena.engine.runtime.rootfs;

import static io.balena.engine.linux.OpenFlags.AT_FDCWD;
import static io.balena.engine.linux.OpenFlags.RESOLVE_IN_ROOT;
import static io.balena.engine.linux.OpenFlags.RESOLVE_NO_MAGICLINKS;
import static io.balena.engine.linux.OpenFlags.RESOLVE_NO_SYMLINKS;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_BIND;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NODEV;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NOEXEC;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NOSUID;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_RDONLY;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_REC;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_REMOUNT;

import io.balena.engine.linux.OpenFlags;
import io.balena.engine.linux.Syscall;
import io.balena.engine.linux.SyscallProgram;
import java.util.ArrayList;
import java.util.List;

/// Rows that open places inside the container's root, making them where they are missing, and mount onto what they opened.
///
/// The place that was opened last is the descriptor [#target]; what is to be mounted there, if it has a descriptor, is [#tree].
final class Destinations {
    static final long AT_EMPTY_PATH = 0x1000;
    static final long AT_RECURSIVE = 0x8000;
    static final long OPEN_TREE_CLONE = 1;
    static final long OPEN_TREE_CLOEXEC = OpenFlags.CLOEXEC;
    static final long MOVE_MOUNT_F_EMPTY_PATH = 4;
    static final long MOVE_MOUNT_T_EMPTY_PATH = 0x40;
    static final int MOUNT_ATTRIBUTES_BYTES = 32;

    private static final int HOW_BYTES = 24;

    private final SyscallProgram program;
    private final int root;
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

    /// Blocks of rows that are only reached by jumps, to be added behind the program's end.
    private final List<Missing> missing = new ArrayList<>();

    /// How a place may be looked for.
    enum Kind {
        /// A file or a folder, also behind symbolic links of the image's own.
        ANYWHERE,
        /// As [#ANYWHERE], but only a folder.
        FOLDER,
        /// A file or a folder, behind no link: whoever makes the image must not choose where it is.
        NO_LINKS
    }

    private record Missing(int row, String path, boolean isFile, long how) {}

    /// @param root descriptor of the container's root; the two after it are free whenever a method begins
    Destinations(SyscallProgram program, int root) {
        this.program = program;
        this.root = root;
        this.target = root + 1;
        this.tree = root + 2;
        this.empty = program.text("");
        this.targetPath = program.text("/proc/self/fd/" + target);
        this.treePath = program.text("/proc/self/fd/" + tree);
        long path = OpenFlags.PATH | OpenFlags.CLOEXEC;
        long inside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
        this.anywhere = program.words(path, 0, inside);
        this.noLinks = program.words(path, 0, inside | RESOLVE_NO_SYMLINKS);
        this.folder = program.words(path | OpenFlags.DIRECTORY, 0, inside);
        this.whateverIsThere = program.words(path | OpenFlags.NOFOLLOW, 0, inside);
        this.emptyFile = program.words(
                OpenFlags.CREAT | OpenFlags.NOFOLLOW | OpenFlags.NONBLOCK | OpenFlags.NOCTTY | OpenFlags.CLOEXEC, 0666, inside);
    }

    int root() {
        return root;
    }

    int target() {
        return target;
    }

    int tree() {
        return tree;
    }

    /// What names [#target] to a call that wants a path.
    long targetPath() {
        return targetPath;
    }

    /// What names [#tree] to a call that wants a path.
    long treePath() {
        return treePath;
    }

    /// The path that means the descriptor itself, with `AT_EMPTY_PATH` and its like.
    long empty() {
        return empty;
    }

    private long how(Kind kind) {
        return switch (kind) {
            case ANYWHERE -> anywhere;
            case FOLDER -> folder;
            case NO_LINKS -> noLinks;
        };
    }

    /// Opens what a mount is to cover; makes it when it is missing.
    void open(String path, boolean isFile, Kind kind) {
        long how = how(kind);
        missing.add(new Missing(openAt("open mount destination", path, how), path, isFile, how));
    }

    void openFolder(String path) {
        open(path, false, Kind.FOLDER);
    }

    /// Opens what is there already.
    ///
    /// @param attempt e.g. `open masked path`
    /// @return the row, for a jump when it is not
    int openExisting(String attempt, String path) {
        return openAt(attempt, path, anywhere);
    }

    /// Opens the name itself, also when it is a link.
    ///
    /// @return as [#openExisting]
    int openName(String attempt, String path) {
        return openAt(attempt, path, whateverIsThere);
    }

    /// @return the row
    int create(String attempt, String path) {
        return openAt(attempt, path, emptyFile);
    }

    private int openAt(String attempt, String path, long how) {
        return program.add(Syscall.OPENAT2, attempt, path, root, program.text(path), how, HOW_BYTES);
    }

    void closeTarget() {
        close(target);
    }

    void closeTree() {
        close(tree);
    }

    private void close(int descriptor) {
        program.add(Syscall.CLOSE, "close", null, descriptor);
    }

    /// Mounts the detached tree [#tree] onto [#target].
    void attachTree(String attempt, String destination) {
        attach(attempt, destination, tree, target);
    }

    void attach(String attempt, String destination, int detached, int onto) {
        long flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
        program.add(Syscall.MOVE_MOUNT, attempt, destination, detached, empty, onto, empty, flags);
    }

    /// Gives a mount these flags and no others. Where it has some from outside that it must keep, as in a user namespace, they are
    /// added to those.
    void remount(String attempt, String destination, long path, long flags) {
        int exactly = program.add(Syscall.MOUNT, attempt, destination, 0, path, 0, flags | MS_REMOUNT | MS_BIND, 0);
        int over = program.addJump();
        program.onFailure(exactly, program.next());
        long attributes = program.words(flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC), 0, 0, 0);
        program.add(Syscall.MOUNT_SETATTR, attempt, destination, AT_FDCWD, path, 0, attributes, MOUNT_ATTRIBUTES_BYTES);
        program.onFailure(over, program.next());
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

    /// Mounts a filesystem on the folder that was opened last.
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

    /// To be called when the program's regular rows are complete.
    void addExceptions() {
        for (int i = 0; i < missing.size(); i++) {
            var it = missing.get(i);
            program.onFailure(it.row(), program.next());
            addMissing(it);
        }
    }

    private void addMissing(Missing destination) {
        String path = destination.path();
        int from = 1;
        while (from <= path.length()) {
            int slash = path.indexOf('/', from);
            if (slash < 0) slash = path.length();
            if (slash > from) {
                String parent = path.substring(0, from);
                String name = path.substring(from, slash);
                boolean last = slash >= path.length();
                openAt("open mount destination", parent, folder);
                int row = last && destination.isFile()
                        ? program.add(
                                Syscall.MKNODAT, "create mount destination", path, target, program.text(name), 0100755, 0)
                        : program.add(Syscall.MKDIRAT, "create mount destination", path, target, program.text(name), 0755);
                program.mayFail(row);
                close(target);
            }
            from = slash + 1;
        }
        openAt("open mount destination", path, destination.how());
        program.onFailure(program.addJump(), destination.row() + 1);
    }
}
