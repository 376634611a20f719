package io.balena.engine.linux;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// A tree of mounts that nobody sees but who holds its descriptor: a folder, and other places of the host mounted inside.
///
/// It lives in a mount namespace of its own that no thread is in any more, and ends with it when this is closed. Nothing else of the host
/// is in there, so that no other mount is kept from ending. Whoever may write in the folder meanwhile, a container that runs there for
/// example, gets no mount to lie elsewhere: each is put on a descriptor that was opened with the folder as root.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/mount_namespaces.7.html">mount_namespaces(7)</a>
public final class MountView implements AutoCloseable {
    private static final int CLONE_NEWNS = 0x20000;
    private static final long MS_RDONLY = 1;
    private static final long MS_REMOUNT = 32;
    private static final long MS_BIND = 4096;
    private static final long MS_REC = 16384;
    private static final long MS_PRIVATE = 1 << 18;
    private static final int MNT_DETACH = 2;
    /// openat2(2) came with Linux 5.6; before, paths with symbolic links are refused.
    private static final long WITHIN = OpenFlags.RESOLVE_IN_ROOT | OpenFlags.RESOLVE_NO_MAGICLINKS;

    private final Fd root;
    private final Fd namespace;

    /// Something of the host to be seen inside.
    ///
    /// @param beneath a path in `source` to be mounted instead of it, which may not lead out; empty for all of it
    /// @param inside absolute; made when it is missing, in the folder itself
    /// @param whole with what is mounted below it
    public record Part(Path source, String beneath, String inside, boolean readOnly, boolean whole) {}

    private MountView(Fd root, Fd namespace) {
        this.root = root;
        this.namespace = namespace;
    }

    /// @param readOnly the folder itself, not the parts
    /// @param parts in the order in which they are mounted
    /// @throws ErrnoException `ENOENT` when a source is missing
    public static MountView open(Path folder, boolean readOnly, List<Part> parts) throws IOException {
        loadWhatPivotNeeds();
        return DisposableThread.call("mount view", () -> make(folder, readOnly, parts));
    }

    private static MountView make(Path folder, boolean readOnly, List<Part> parts) throws IOException {
        Libc.check(Libc.unshare(CLONE_NEWNS), "unshare", "mount namespace");
        Mounts.mount(new Mount("", "", MS_PRIVATE | MS_REC, ""), Path.of("/"));
        Mounts.mount(new Mount(folder.toString(), "", MS_BIND, ""), folder);
        List<Fd> opened = new ArrayList<>();
        try {
            Fd root = Fd.open(folder, OpenFlags.PATH | OpenFlags.DIRECTORY);
            opened.add(root);
            for (Part part : parts) mount(part, root.number());
            if (readOnly) makeReadOnly(root.number());
            Fd namespace = Fd.open(Path.of("/proc/thread-self/ns/mnt"), OpenFlags.RDONLY);
            opened.add(namespace);
            leaveEverythingElse(root.number());
            return new MountView(root, namespace);
        } catch (IOException | RuntimeException e) {
            opened.forEach(Fd::close);
            throw e;
        }
    }

    private static void mount(Part part, int root) throws IOException {
        var calls = new FileCalls();
        try (Fd source = source(part, calls);
                Fd target = new Fd(target(part, calls.stat(source.number()).isDirectory(), root, calls))) {
            Mounts.mount(new Mount(path(source.number()).toString(), "", part.whole ? MS_BIND | MS_REC : MS_BIND, ""), path(target.number()));
        }
        if (!part.readOnly) return;
        try (Fd mounted = new Fd(calls.openBy(root, bytes(part.inside), OpenFlags.PATH, WITHIN))) {
            makeReadOnly(mounted.number());
        }
    }

    private static Fd source(Part part, FileCalls calls) throws IOException {
        Fd source = Fd.open(part.source, OpenFlags.PATH);
        if (part.beneath.isEmpty()) return source;
        try (source) {
            return new Fd(calls.openBy(source.number(), bytes(part.beneath), OpenFlags.PATH, OpenFlags.RESOLVE_BENEATH));
        }
    }

    private static int target(Part part, boolean folder, int root, FileCalls calls) throws IOException {
        try {
            return calls.openBy(root, bytes(part.inside), OpenFlags.PATH, WITHIN);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENOENT) throw e;
        }
        String[] names = part.inside.substring(1).split("/");
        String at = "";
        for (int i = 0; i < names.length; i++) {
            make(at, names[i], folder || i < names.length - 1, root, calls);
            at += "/" + names[i];
        }
        return calls.openBy(root, bytes(part.inside), OpenFlags.PATH, WITHIN);
    }

    private static void make(String above, String name, boolean folder, int root, FileCalls calls) throws IOException {
        byte[] bytes = bytes(name);
        try (Fd parent = new Fd(calls.openBy(root, bytes(above.isEmpty() ? "/" : above), OpenFlags.PATH | OpenFlags.DIRECTORY, WITHIN))) {
            if (folder) calls.mkdir(parent.number(), bytes, 0, bytes.length, 0755);
            else calls.close(calls.open(parent.number(), bytes, 0, bytes.length, OpenFlags.CREAT | OpenFlags.EXCL | OpenFlags.NOFOLLOW, 0755));
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) throw e;
        }
    }

    private static void makeReadOnly(int mounted) throws IOException {
        Mounts.mount(new Mount("", "", MS_REMOUNT | MS_BIND | MS_RDONLY, ""), path(mounted));
    }

    /// With both arguments the same, the old root comes to lie on the new one and is taken away from there.
    private static void leaveEverythingElse(int root) throws IOException {
        Libc.check(FileLibc.fchdir(root), "fchdir", "the view's root");
        Libc.check(FileLibc.pivot_root(".", "."), "pivot_root", "the view's root");
        Libc.check(FileLibc.umount2(".", MNT_DETACH), "umount", "the host's files in the view");
    }

    /// A thread with another root cannot load classes.
    private static void loadWhatPivotNeeds() {
        try {
            for (Class<?> type : List.of(FileLibc.class, ErrnoException.class, Errno.class)) MethodHandles.lookup().ensureInitialized(type);
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }

    /// By which mount(2) finds what was opened, whatever has that name by now.
    private static Path path(int fd) {
        return Path.of("/proc/thread-self/fd/" + fd);
    }

    private static byte[] bytes(String path) {
        return path.getBytes(UTF_8);
    }

    /// The folder with all that is mounted inside, open as [OpenFlags#PATH]. Paths from there lead through the view's mounts.
    public int root() {
        return root.number();
    }

    @Override
    public void close() {
        root.close();
        namespace.close();
    }
}
