package io.balena.engine.linux;

/// An open file descriptor with one owner, who closes it once.
///
/// Descriptors made in this module are close-on-exec unless the method that makes them says otherwise.
public final class Fd implements AutoCloseable {
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

    /// Hands ownership to the caller; this object no longer closes it.
    public int release() {
        int released = number();
        number = -1;
        return released;
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
