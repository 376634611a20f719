package io.balena.engine.linux;

/// Reads what is in a pipe and leaves it there, so that nothing is lost should this process die with it in its hands.
///
/// One serves any number of pipes, one after the other.
///
/// @see <a href="https://man7.org/linux/man-pages/man2/tee.2.html">tee(2)</a>
public final class PipePeek {
    private static final int SPLICE_F_NONBLOCK = 2;

    /// Made when it is first needed.
    private Pipe aside;

    /// Reads at most `length` bytes to `offset` of `into`. They are what the next read from the pipe will bring, if that is of as many
    /// bytes and nobody else reads.
    ///
    /// @return bytes read, 0 at the end, or [NativeBuffer#WOULD_BLOCK]
    /// @throws ErrnoException `EINVAL` from what is no pipe
    public int read(Fd pipe, NativeBuffer into, int offset, int length) throws ErrnoException {
        if (aside == null) aside = Pipe.open();
        int count = NativeBuffer.result(LoopLibc.tee(pipe.number(), aside.writeEnd().number(), length, SPLICE_F_NONBLOCK), "tee", pipe);
        if (count <= 0) return count;
        for (int read = 0; read < count; ) read += into.read(aside.readEnd(), offset + read, count - read);
        return count;
    }
}
