package io.balena.engine.linux;

import static io.balena.engine.linux.Libc.check;
import static io.balena.engine.linux.NetworkLibc.CLONE_NEWNET;
import static io.balena.engine.linux.NetworkLibc.O_CLOEXEC;
import static io.balena.engine.linux.NetworkLibc.O_RDONLY;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/// A network namespace held open: it lives at least until this is closed.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/network_namespaces.7.html">network_namespaces(7)</a>
public final class NetworkNamespace implements AutoCloseable {
    private final Fd fd;

    private NetworkNamespace(Fd fd) {
        this.fd = fd;
    }

    /// @throws ErrnoException `ENOENT` when there is no such process
    public static NetworkNamespace ofProcess(int pid) throws IOException {
        return open("/proc/" + pid + "/ns/net");
    }

    /// The calling thread's, which need not be the process's.
    public static NetworkNamespace current() throws IOException {
        return open("/proc/thread-self/ns/net");
    }

    private static NetworkNamespace open(String path) throws IOException {
        return new NetworkNamespace(new Fd(check(NetworkLibc.open(path, O_RDONLY | O_CLOEXEC), "open", path)));
    }

    int number() {
        return fd.number();
    }

    /// Whether both are the same namespace: the kernel names each by a number, as in `net:[4026531840]`.
    public boolean isSameAs(NetworkNamespace other) throws IOException {
        return name().equals(other.name());
    }

    private Path name() throws IOException {
        return Files.readSymbolicLink(Path.of("/proc/thread-self/fd/" + fd.number()));
    }

    /// Runs `work` in this namespace, on a thread that dies afterwards.
    public <T> T call(Callable<T> work) throws IOException {
        return onDisposableThread(() -> {
            check(NetworkLibc.setns(fd.number(), CLONE_NEWNET), "setns", "network namespace");
            return work.call();
        });
    }

    /// Runs `work` in a new network namespace, which ends with it unless something in it is held open.
    public static <T> T callInNew(Callable<T> work) throws IOException {
        return onDisposableThread(() -> {
            check(NetworkLibc.unshare(CLONE_NEWNET), "unshare", "network namespace");
            return work.call();
        });
    }

    private static <T> T onDisposableThread(Callable<T> work) throws IOException {
        var task = new FutureTask<>(work);
        var thread = Thread.ofPlatform().daemon().name("network-namespace").start(task);
        try {
            return await(task);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException io -> throw io;
                case RuntimeException runtime -> throw runtime;
                case Error error -> throw error;
                default -> throw new IOException(thread.getName() + ": " + e.getCause().getMessage(), e.getCause());
            }
        }
    }

    /// Waits even when interrupted: what was begun in the kernel is short, and half of it helps nobody.
    private static <T> T await(FutureTask<T> task) throws ExecutionException {
        boolean interrupted = false;
        try {
            for (;;) {
                try {
                    return task.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
