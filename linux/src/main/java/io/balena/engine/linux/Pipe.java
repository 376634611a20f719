package io.balena.engine.linux;

/// The two ends of a pipe.
public record Pipe(Fd readEnd, Fd writeEnd) {
    /// @throws ErrnoException `EMFILE` when there are too many descriptors
    public static Pipe open() throws ErrnoException {
        int[] ends = new int[2];
        Libc.check(LoopLibc.pipe2(ends, OpenFlags.CLOEXEC), "pipe2", null);
        return new Pipe(new Fd(ends[0]), new Fd(ends[1]));
    }
}
