package io.balena.engine.linux;

import com.sun.jna.Native;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// A gate with a name, at which a child waits for a process that need not be its parent: a listening socket in a folder that only
/// the mighty can enter.
///
/// ```
/// who lets it go                       the child's rows
/// connect                         ──▶  accept, and no longer listen
/// write one byte                  ──▶  read one byte
/// read one byte                   ◀──  write one byte: there was nobody before you
/// read up to the end              ◀──  execve, which closes the connection; or errno (8 bytes) and attempt of the row that failed
/// ```
///
/// The child waits however long it takes, and without anybody.
public final class NamedGate implements AutoCloseable {
    private static final int BACKLOG = 16;
    private static final int LONGEST_REPORT = 4096;

    private final Fd listener;

    private NamedGate(Fd listener) {
        this.listener = listener;
    }

    /// Makes the socket `name` in `folder`, however long its path is.
    ///
    /// @param least lowest number the child's end may have here
    public static NamedGate make(Path folder, String name, int least) throws ErrnoException {
        try (Fd within = Fd.open(folder, OpenFlags.PATH | OpenFlags.DIRECTORY);
                Fd socket = UnixStream.open(folder);
                var address = UnixAddress.ofPath(nameBelow(within, name), "bind")) {
            Libc.check(Libc.fchmod(socket.number(), 0600), "fchmod", name);
            Libc.check(SocketLibc.bind(socket.number(), address.pointer(), address.length()), "bind", name);
            Libc.check(SocketLibc.listen(socket.number(), BACKLOG), "listen", name);
            return new NamedGate(socket.duplicate(least));
        }
    }

    /// What the child accepts from.
    public Fd childsEnd() {
        return listener;
    }

    /// Lets the child that waits at `name` in `folder` go on, and waits until it has executed its program.
    ///
    /// @return false when none waits there: it was let go before, or has ended
    /// @throws ErrnoException of the row that failed in the child, its attempt as the call
    public static boolean pass(Path folder, String name) throws IOException {
        try (Fd within = Fd.open(folder, OpenFlags.PATH | OpenFlags.DIRECTORY);
                Fd connection = UnixStream.connect(Path.of(nameBelow(within, name)))) {
            byte[] one = new byte[1];
            if (!write(connection, one) || read(connection, one) == 0) return false;
            awaitExecution(connection);
            return true;
        } catch (ErrnoException e) {
            if (e.call().equals("connect")) return false;
            throw e;
        }
    }

    static void awaitExecution(Fd connection) throws ErrnoException {
        var report = new ByteArrayOutputStream();
        byte[] part = new byte[LONGEST_REPORT];
        for (int count; (count = read(connection, part)) > 0; ) report.write(part, 0, count);
        if (report.size() < 8) return;
        ByteBuffer bytes = ByteBuffer.wrap(report.toByteArray()).order(ByteOrder.nativeOrder());
        long result = bytes.getLong();
        throw new ErrnoException((int) -result, StandardCharsets.UTF_8.decode(bytes).toString(), null);
    }

    /// @return false when the other side is gone
    private static boolean write(Fd connection, byte[] bytes) throws ErrnoException {
        int count = Libc.write(connection.number(), bytes, bytes.length);
        if (count == -1 && Native.getLastError() == Errno.EPIPE.number()) return false;
        Libc.check(count, "write", "gate");
        return true;
    }

    /// @return 0 at the end, also when the other side ended before it has read everything
    private static int read(Fd connection, byte[] into) throws ErrnoException {
        int count;
        do {
            count = Libc.read(connection.number(), into, into.length);
        } while (count == -1 && Native.getLastError() == Errno.EINTR.number());
        if (count == -1 && Native.getLastError() == Errno.ECONNRESET.number()) return 0;
        return Libc.check(count, "read", "gate");
    }

    private static String nameBelow(Fd folder, String name) {
        return "/proc/self/fd/" + folder.number() + "/" + name;
    }

    /// Closes our copy of the child's end; the name stays.
    @Override
    public void close() {
        listener.close();
    }
}
