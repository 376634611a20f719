package io.balena.engine.linux;

import static io.balena.engine.linux.SocketLibc.AF_UNIX;
import static io.balena.engine.linux.SocketLibc.MSG_NOSIGNAL;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_DGRAM;
import static io.balena.engine.linux.SocketLibc.SOCK_NONBLOCK;
import static io.balena.engine.linux.SocketLibc.SOL_SOCKET;

import com.sun.jna.Native;
import java.nio.file.Path;

/// A line to systemd's journal: entries in its native protocol, one a datagram; one too long for that is handed over as a sealed
/// memory file.
///
/// @see <a href="https://systemd.io/JOURNAL_NATIVE_PROTOCOL/">Native Journal Protocol</a>
public final class JournalSocket implements AutoCloseable {
    private static final int F_ADD_SEALS = 1033;
    /// `F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE`: journald takes no file that could still change.
    private static final int ALL_SEALS = 0xf;
    private static final int SEEK_SET = 0;

    private final Fd fd;

    private JournalSocket(Fd fd) {
        this.fd = fd;
    }

    /// @throws ErrnoException `ENOENT`, `ECONNREFUSED` when there is no journal at the moment
    public static JournalSocket connect(Path path) throws ErrnoException {
        Fd fd = new Fd(Libc.check(SocketLibc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket", path));
        try (var address = UnixAddress.ofPath(path.toString(), "connect")) {
            Libc.check(SocketLibc.connect(fd.number(), address.pointer(), address.length()), "connect", path);
            return new JournalSocket(fd);
        } catch (ErrnoException e) {
            fd.close();
            throw e;
        }
    }

    /// Writable while the journal takes entries.
    public Fd fd() {
        return fd;
    }

    /// Sends the first `length` bytes of `buffer` as one entry.
    ///
    /// @return false when the journal takes none at the moment
    /// @throws ErrnoException `ECONNREFUSED`, `ENOTCONN` when the journal at the other end is gone
    public boolean send(NativeBuffer buffer, int length) throws ErrnoException {
        int sent = SocketLibc.send(fd.number(), buffer.pointer(), length, MSG_NOSIGNAL);
        if (sent >= 0) return true;
        int errno = Native.getLastError();
        if (errno == Errno.EAGAIN.number()) return false;
        if (errno != Errno.EMSGSIZE.number() && errno != Errno.ENOBUFS.number()) throw new ErrnoException(errno, "send", fd);
        try (Fd file = entryFile()) {
            for (int at = 0; at < length; ) at += buffer.write(file, at, length - at);
            Libc.check(Libc.lseek64(file.number(), 0, SEEK_SET), "lseek", file);
            Libc.check(Libc.fcntl(file.number(), F_ADD_SEALS, ALL_SEALS), "fcntl(F_ADD_SEALS)", file);
            return send(file);
        }
    }

    private Fd entryFile() throws ErrnoException {
        int flags = SocketLibc.MFD_CLOEXEC | SocketLibc.MFD_ALLOW_SEALING;
        return new Fd(Libc.check(SocketLibc.memfd_create("journal-entry", flags), "memfd_create", fd));
    }

    // struct msghdr { name, namelen, iov, iovlen, control, controllen, flags }; struct cmsghdr { size_t len; int level; int type; int fd }
    private boolean send(Fd file) throws ErrnoException {
        int word = Native.POINTER_SIZE;
        int headerBytes = 7 * word;
        int controlBytes = word + 8 + word;
        try (var memory = NativeMemory.zeroed(headerBytes + controlBytes)) {
            var control = memory.pointer().share(headerBytes);
            memory.pointer().setPointer(4L * word, control);
            setWord(memory, 5 * word, controlBytes);
            setWord(memory, headerBytes, word + 8 + 4);
            control.setInt(word, SOL_SOCKET);
            control.setInt(word + 4L, SocketLibc.SCM_RIGHTS);
            control.setInt(word + 8L, file.number());
            if (SocketLibc.sendmsg(fd.number(), memory.pointer(), MSG_NOSIGNAL) >= 0) return true;
            int errno = Native.getLastError();
            if (errno == Errno.EAGAIN.number()) return false;
            throw new ErrnoException(errno, "sendmsg", fd);
        }
    }

    private static void setWord(NativeMemory memory, int at, int value) {
        if (Native.POINTER_SIZE == 8) memory.pointer().setLong(at, value);
        else memory.pointer().setInt(at, value);
    }

    @Override
    public void close() {
        fd.close();
    }
}
