package io.balena.engine.linux;

import static io.balena.engine.linux.Libc.check;
import static io.balena.engine.linux.SocketLibc.AF_NETLINK;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_RAW;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/// A netlink conversation: one request, then its answer. It stays in the network namespace it was opened in.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/netlink.7.html">netlink(7)</a>
final class NetlinkSocket implements AutoCloseable {
    static final int NETLINK_ROUTE = 0;
    static final int NETLINK_NETFILTER = 12;

    private static final int SOL_NETLINK = 270;
    private static final int NETLINK_CAP_ACK = 10;
    private static final int NETLINK_EXT_ACK = 11;
    private static final int NLMSG_ERROR = 2;
    private static final int NLMSG_DONE = 3;
    private static final int NLMSGERR_ATTR_MSG = 1;
    /// The kernel fills at most this much per receive, whatever is offered.
    private static final int RECEIVE_LENGTH = 32 * 1024;
    private static final int DUMP_ATTEMPTS = 10;

    private final Fd socket;
    private final Memory memory = new Memory(RECEIVE_LENGTH);
    private final ByteBuffer received = memory.getByteBuffer(0, RECEIVE_LENGTH);
    private int sequence;

    private NetlinkSocket(Fd socket) {
        this.socket = socket;
    }

    static NetlinkSocket open(int protocol) throws IOException {
        var socket = new NetlinkSocket(new Fd(
                check(SocketLibc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "socket", "AF_NETLINK")));
        // Older kernels know neither option: then errors come without words, which is no reason to fail.
        socket.enable(NETLINK_EXT_ACK);
        socket.enable(NETLINK_CAP_ACK);
        return socket;
    }

    private void enable(int option) {
        memory.setInt(0, 1);
        SocketLibc.setsockopt(socket.number(), SOL_NETLINK, option, memory, 4);
    }

    /// Has `message` carried out.
    ///
    /// @param attempt what it does and to what, for the error
    synchronized void request(NetlinkMessage message, String attempt) throws IOException {
        int expected = send(message, attempt);
        for (;;) {
            receive(attempt);
            while (received.remaining() >= NetlinkMessage.HEADER_LENGTH) {
                var answer = next();
                if (answer.sequence == expected && answer.type == NLMSG_ERROR) {
                    answer.throwError(attempt);
                    return;
                }
            }
        }
    }

    /// Asks for one object or all of a kind. A dump that the kernel marks as torn by a change is taken again.
    ///
    /// @param parse turns one answer into a value; null to leave it out
    synchronized <T> List<T> query(NetlinkMessage message, String attempt, Function<ByteBuffer, T> parse) throws IOException {
        for (int i = 1;; i++) {
            var values = new ArrayList<T>();
            try {
                if (collect(message, attempt, parse, values) || i == DUMP_ATTEMPTS) return values;
            } catch (ErrnoException e) {
                // The socket's queue overflowed: what is left of this answer has an old sequence number.
                if (e.errno() != Errno.ENOBUFS || i == DUMP_ATTEMPTS) throw e;
            }
        }
    }

    /// @return whether the answer is of one piece
    private <T> boolean collect(NetlinkMessage message, String attempt, Function<ByteBuffer, T> parse, List<T> values)
            throws IOException {
        int expected = send(message, attempt);
        boolean whole = true;
        for (;;) {
            receive(attempt);
            while (received.remaining() >= NetlinkMessage.HEADER_LENGTH) {
                var answer = next();
                if (answer.sequence != expected) continue;
                if ((answer.flags & NetlinkMessage.NLM_F_DUMP_INTR) != 0) whole = false;
                if (answer.type == NLMSG_ERROR || answer.type == NLMSG_DONE) {
                    answer.throwError(attempt);
                    return whole;
                }
                T value = parse.apply(answer.payload);
                if (value != null) values.add(value);
            }
        }
    }

    private int send(NetlinkMessage message, String attempt) throws IOException {
        byte[] bytes = message.finish(++sequence);
        memory.write(0, bytes, 0, bytes.length);
        for (;;) {
            if (SocketLibc.send(socket.number(), memory, bytes.length, 0) >= 0) return sequence;
            throwUnlessInterrupted(attempt);
        }
    }

    private void receive(String attempt) throws IOException {
        for (;;) {
            int length = SocketLibc.recv(socket.number(), memory, RECEIVE_LENGTH, 0);
            if (length >= 0) {
                received.clear().limit(length);
                return;
            }
            throwUnlessInterrupted(attempt);
        }
    }

    private static void throwUnlessInterrupted(String attempt) throws ErrnoException {
        int number = Native.getLastError();
        if (number != Errno.EINTR.number()) throw new ErrnoException(number, "netlink", attempt);
    }

    private Answer next() throws IOException {
        int start = received.position();
        int length = received.getInt();
        int type = Short.toUnsignedInt(received.getShort());
        int flags = Short.toUnsignedInt(received.getShort());
        int answers = received.getInt();
        if (length < NetlinkMessage.HEADER_LENGTH || length > received.limit() - start) {
            throw new IOException("netlink: truncated message of type " + type);
        }
        var payload = received.slice(start + NetlinkMessage.HEADER_LENGTH, length - NetlinkMessage.HEADER_LENGTH).order(received.order());
        received.position(Math.min(received.limit(), start + (length + 3 & ~3)));
        return new Answer(type, flags, answers, payload);
    }

    private record Answer(int type, int flags, int sequence, ByteBuffer payload) {
        /// Does nothing for an acknowledgement, which is an error with the number 0.
        void throwError(String attempt) throws ErrnoException {
            if (payload.remaining() < 4) return;
            int error = payload.getInt();
            if (error >= 0) return;
            throw new ErrnoException(-error, "netlink", attempt + words());
        }

        /// What the kernel says beyond errno. The attributes follow the copy of our header, and of our message unless capped.
        private String words() {
            if ((flags & NetlinkMessage.NLM_F_ACK_TLVS) == 0 || type == NLMSG_DONE || payload.remaining() < 16) return "";
            int original = payload.getInt(payload.position());
            int skip = (flags & NetlinkMessage.NLM_F_CAPPED) != 0 ? NetlinkMessage.HEADER_LENGTH : original + 3 & ~3;
            if (skip > payload.remaining()) return "";
            payload.position(payload.position() + skip);
            String words = NetlinkAttributes.parse(payload).string(NLMSGERR_ATTR_MSG);
            return words.isEmpty() ? "" : " (" + words + ")";
        }
    }

    @Override
    public synchronized void close() {
        socket.close();
        memory.close();
    }
}
