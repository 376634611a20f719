package io.balena.engine.linux;

/// An open file descriptor with one owner, who closes it once.
///
/// Descriptors made in this module are close-on-exec unless the method that makes them says otherwise.
public final class Fd implements AutoCloseable {
    private static final int O_CLOEXEC = 02000000;
    private static final int F_DUPFD_CLOEXEC = 1030;

    private int number;

    /// Takes ownership of `number`.
    public Fd(int number) {
        if (number < 0) throw new IllegalArgumentException("not a file descriptor: " + number);
        this.number = number;
    }

    /// @throws IllegalStateException after [#close()] or [#release()]: the kernel may have given the number to another file
    public int number() {
        if (number < 0) throw new IllegalStateException("file descriptor already closed");
        return number;
    }

    /// Reads what is there, waiting for the first byte.
    ///
    /// @return bytes read, 0 at the end
    /// @throws ErrnoException `EIO` from a terminal nobody has open any more
    public int read(byte[] buffer) throws ErrnoException {
        return (int) Libc.check(ProcessCalls.read(number(), buffer, buffer.length), "read", this);
    }

    /// Hands ownership to the caller; this object no longer closes it.
    public int release() {
        int released = number();
        number = -1;
        return released;
    }

    /// Opens a file.
    ///
    /// @param flags of open(2), to which close-on-exec is added
    public static Fd open(java.nio.file.Path path, int flags) throws ErrnoException {
        return new Fd(Libc.check(ProcessCalls.open(path.toString(), flags | O_CLOEXEC, 0), "open", path));
    }

    /// Another descriptor for the same open file, close-on-exec, with a number of at least `least`.
    ///
    /// @throws ErrnoException `EMFILE` when there are too many
    public Fd duplicate(int least) throws ErrnoException {
        return new Fd(Libc.check(ProcessCalls.fcntl(number(), F_DUPFD_CLOEXEC, least), "fcntl(F_DUPFD_CLOEXEC)", this));
    }

    /// Closes the descriptor. The result of close(2) is ignored: the descriptor is gone even on error, and write errors
    /// that matter were reported by fsync(2).
    @Override
    public void close() {
        if (number < 0) return;
        int closing = number;
        number = -1;
        Libc.close(closing);
    }

    @Override
    public String toString() {
        return "fd " + number;
    }
}
