package io.balena.engine.linux;

import static io.balena.engine.linux.Libc.check;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;

/// A network namespace held open: it lives at least until this is closed.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/network_namespaces.7.html">network_namespaces(7)</a>
public final class NetworkNamespace implements AutoCloseable {
    private static final int CLONE_NEWNET = 0x40000000;
    private static final String THREAD = "network-namespace";

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
        return new NetworkNamespace(Fd.open(Path.of(path), OpenFlags.RDONLY));
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
        return DisposableThread.call(THREAD, () -> {
            check(Libc.setns(fd.number(), CLONE_NEWNET), "setns", "network namespace");
            return work.call();
        });
    }

    /// Moves the calling thread into this namespace. For a thread that makes sockets in several namespaces and starts neither threads nor
    /// processes: those would begin there.
    public void enter() throws ErrnoException {
        check(Libc.setns(fd.number(), CLONE_NEWNET), "setns", "network namespace");
    }

    /// Its descriptor, which stays this object's.
    public Fd fd() {
        return fd;
    }

    /// Runs `work` in a new network namespace, which ends with it unless something in it is held open.
    public static <T> T callInNew(Callable<T> work) throws IOException {
        return DisposableThread.call(THREAD, () -> {
            check(Libc.unshare(CLONE_NEWNET), "unshare", "network namespace");
            return work.call();
        });
    }

    @Override
    public void close() {
        fd.close();
    }
}
