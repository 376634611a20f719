package io.balena.engine.linux;

import static io.balena.engine.linux.SocketLibc.MSG_CMSG_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SCM_RIGHTS;
import static io.balena.engine.linux.SocketLibc.SOL_SOCKET;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.util.Optional;

/// An open file that another process sends through a unix socket.
///
/// ```
/// struct msghdr   name │ namelen │ iov │ iovlen │ control │ controllen │ flags      a word each, but for the flags
/// struct iovec    base │ len
/// struct cmsghdr  len │ level (4), type (4) │ descriptor (4)
/// ```
///
/// @see <a href="https://man7.org/linux/man-pages/man7/unix.7.html">unix(7), SCM_RIGHTS</a>
public final class PassedDescriptor {
    private static final int WORD = Native.POINTER_SIZE;
    private static final int IOVEC = 7 * WORD;
    private static final int CONTROL = IOVEC + 2 * WORD;
    private static final int DESCRIPTOR = WORD + 8;
    /// Room for one descriptor: the kernel closes what does not fit.
    private static final int CONTROL_BYTES = DESCRIPTOR + 4;
    private static final int CONTENT = CONTROL + CONTROL_BYTES + 4;
    private static final int CONTENT_BYTES = 4096;

    private PassedDescriptor() {}

    /// Takes the next message from `socket`, whose content is dropped: runtimes send a name with their terminals.
    ///
    /// @return the descriptor that came with it; empty when there was none, or the other side has closed
    /// @throws ErrnoException `EAGAIN` when nothing was sent and the socket is non-blocking
    public static Optional<Fd> receive(Fd socket) throws ErrnoException {
        try (var memory = NativeMemory.zeroed(CONTENT + CONTENT_BYTES)) {
            Pointer message = memory.pointer();
            message.setPointer(2L * WORD, message.share(IOVEC));
            setWord(message, 3 * WORD, 1);
            message.setPointer(4L * WORD, message.share(CONTROL));
            setWord(message, 5 * WORD, CONTROL_BYTES);
            message.setPointer(IOVEC, message.share(CONTENT));
            setWord(message, IOVEC + WORD, CONTENT_BYTES);
            Libc.check(SocketLibc.recvmsg(socket.number(), message, MSG_CMSG_CLOEXEC), "recvmsg", socket);
            boolean whole = word(message, 5 * WORD) >= CONTROL_BYTES;
            if (!whole || message.getInt(CONTROL + WORD) != SOL_SOCKET || message.getInt(CONTROL + WORD + 4) != SCM_RIGHTS) {
                return Optional.empty();
            }
            return Optional.of(new Fd(message.getInt(CONTROL + DESCRIPTOR)));
        }
    }

    private static void setWord(Pointer memory, int offset, int value) {
        if (WORD == 8) memory.setLong(offset, value);
        else memory.setInt(offset, value);
    }

    private static long word(Pointer memory, int offset) {
        return WORD == 8 ? memory.getLong(offset) : memory.getInt(offset);
    }
}
