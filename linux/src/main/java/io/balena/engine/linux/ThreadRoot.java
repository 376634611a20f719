package io.balena.engine.linux;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;

/// Threads that see the file system from another place than the rest of the process, and die with their task.
///
/// Such a thread cannot load classes from the class path any more: whatever its task needs must be loaded before.
public final class ThreadRoot {
    private static final int CLONE_FS = 0x200;

    private ThreadRoot() {}

    /// Starts `work` on a thread whose root and working directory are `root`, and whose umask is 0.
    ///
    /// @throws IOException when the thread could not be given that root; `work` has not begun then
    public static <T> AlteredThread<T> startIn(Path root, String name, Callable<T> work) throws IOException {
        return start(name, work, () -> {
            unshare();
            Libc.check(FileLibc.chroot(root.toString()), "chroot", root);
            Libc.check(FileLibc.chdir("/"), "chdir", "/");
            FileLibc.umask(0);
        });
    }

    /// Starts `work` on a thread whose working directory is `directory`.
    ///
    /// @throws IOException when the thread could not go there; `work` has not begun then
    public static <T> AlteredThread<T> startAt(Path directory, String name, Callable<T> work) throws IOException {
        return start(name, work, () -> {
            unshare();
            Libc.check(FileLibc.chdir(directory.toString()), "chdir", directory);
        });
    }

    private static void unshare() throws IOException {
        Libc.check(Libc.unshare(CLONE_FS), "unshare", "CLONE_FS");
    }

    private static <T> AlteredThread<T> start(String name, Callable<T> work, AlteredThread.Alteration first) throws IOException {
        var failure = new IOException[1];
        var started = AlteredThread.start(name, () -> {
            try {
                first.make();
            } catch (IOException e) {
                failure[0] = e;
                throw e;
            }
        }, work);
        if (failure[0] != null) throw failure[0];
        return started;
    }
}
