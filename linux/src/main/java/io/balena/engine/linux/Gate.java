package io.balena.engine.linux;

import static io.balena.engine.linux.SocketLibc.AF_UNIX;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_STREAM;

import com.sun.jna.Native;

/// The line between this process and a child that executes a [SyscallProgram]: the child reports and waits, we let it go on.
///
/// It is a socket pair. When either side ends, or the child's program has reached its execve, the other reads the end of the
/// stream: so a child that waits for a parent that died ends, and a parent that waits for a child learns how that went.
public final class Gate implements AutoCloseable {
    private final Fd ours;
    private final Fd childs;

    private Gate(Fd ours, Fd childs) {
        this.ours = ours;
        this.childs = childs;
    }

    /// @param least lowest number the child's end may have here
    public static Gate open(int least) throws ErrnoException {
        int[] ends = new int[2];
        Libc.check(SocketLibc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair", null);
        Fd ours = new Fd(ends[0]);
        Fd childs = new Fd(ends[1]);
        if (childs.number() >= least) return new Gate(ours, childs);
        try (childs) {
            return new Gate(ours, childs.duplicate(least));
        } catch (ErrnoException e) {
            ours.close();
            throw e;
        }
    }

    /// What the child reads and writes one byte on.
    public Fd childsEnd() {
        return childs;
    }

    /// To be called once the child was made: only it may hold its end, or its end would never be seen.
    public void closeChildsEnd() {
        childs.close();
    }

    /// Waits until the child reports.
    ///
    /// @return false when it has ended or executed its program instead
    public boolean awaitReport() throws ErrnoException {
        byte[] one = new byte[1];
        int count;
        do {
            count = Libc.read(ours.number(), one, 1);
        } while (count == -1 && Native.getLastError() == Errno.EINTR.number());
        // A child that ended before it read what was sent to it resets the connection.
        if (count == -1 && Native.getLastError() == Errno.ECONNRESET.number()) return false;
        return Libc.check(count, "read", "gate") == 1;
    }

    /// Waits until the child has executed its program, or ended.
    ///
    /// @throws ErrnoException of the row that failed in the child, its attempt as the call, if it has [reported][SyscallProgram#reportFailures]
    ///     that
    public void awaitExecution() throws ErrnoException {
        NamedGate.awaitExecution(ours);
    }

    /// Lets the child go on. A child that has ended meanwhile is noticed by the next [#awaitReport].
    public void pass() throws ErrnoException {
        int count = Libc.write(ours.number(), new byte[1], 1);
        if (count == -1 && Native.getLastError() == Errno.EPIPE.number()) return;
        Libc.check(count, "write", "gate");
    }

    @Override
    public void close() {
        childs.close();
        ours.close();
    }
}
