package io.balena.engine.linux;

/// What a process may use of a resource, set by another process.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/prlimit.2.html">prlimit(2)</a>
public final class ResourceLimit {
    private ResourceLimit() {}

    /// @param resource number of an `RLIMIT_…`
    /// @param soft unsigned; -1 is no limit
    /// @param hard unsigned; -1 is no limit
    /// @throws ErrnoException `EINVAL` when `soft` is above `hard`, `EPERM` when `hard` may not be raised, `ESRCH`
    public static void set(int pid, int resource, long soft, long hard) throws ErrnoException {
        try (var limit = new NativeMemory(16)) {
            limit.pointer().setLong(0, soft);
            limit.pointer().setLong(8, hard);
            Libc.check(Libc.call(Syscall.PRLIMIT64, pid, resource, limit.address(), 0), "prlimit", pid);
        }
    }
}
