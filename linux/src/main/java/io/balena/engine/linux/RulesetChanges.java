package io.balena.engine.linux;

import static io.balena.engine.linux.Libc.check;
import static io.balena.engine.linux.SocketLibc.AF_NETLINK;
import static io.balena.engine.linux.SocketLibc.SOCK_CLOEXEC;
import static io.balena.engine.linux.SocketLibc.SOCK_RAW;

import com.sun.jna.Native;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.IntPredicate;

/// Waits for changes that programs make to the nf_tables rules of the network namespace in which this was opened. For one thread, but
/// for [#close].
///
/// Of the older tables, whose `iptables` is called "legacy", the kernel reports nothing.
///
/// @see <a href="https://github.com/torvalds/linux/blob/master/include/uapi/linux/netfilter/nf_tables.h">nf_tables.h</a>
public final class RulesetChanges implements AutoCloseable {
    private static final int SOCKADDR_NL_BYTES = 12;
    private static final int NFNLGRP_NFTABLES = 7;
    private static final int NFNL_SUBSYS_NFTABLES = 10 << 8;
    private static final int NFT_MSG_NEWGEN = 15;
    private static final int NFTA_GEN_PROC_PID = 2;
    private static final int NFGENMSG = 4;
    /// The kernel fills at most this much per receive, whatever is offered.
    private static final int RECEIVE_LENGTH = 32 * 1024;

    private final Fd socket;
    private final EventFd closing;
    private final Epoll epoll;
    private volatile boolean closed;

    private RulesetChanges(Fd socket, EventFd closing, Epoll epoll) {
        this.socket = socket;
        this.closing = closing;
        this.epoll = epoll;
    }

    /// @throws ErrnoException `EPROTONOSUPPORT` when the kernel has no nf_tables
    public static RulesetChanges open() throws IOException {
        var socket = new Fd(check(SocketLibc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SocketLibc.SOCK_NONBLOCK, NetlinkSocket.NETLINK_NETFILTER),
                "socket", "AF_NETLINK"));
        EventFd closing = null;
        Epoll epoll = null;
        try (var address = NativeMemory.zeroed(SOCKADDR_NL_BYTES)) {
            // struct sockaddr_nl: family, padding, our port (the kernel chooses), groups to hear. Without a bind none is heard.
            address.pointer().setShort(0, (short) AF_NETLINK);
            address.pointer().setInt(8, 1 << NFNLGRP_NFTABLES - 1);
            check(SocketLibc.bind(socket.number(), address.pointer(), SOCKADDR_NL_BYTES), "bind", "nftables");
            closing = new EventFd();
            epoll = new Epoll();
            epoll.add(socket, Epoll.READABLE, 0);
            epoll.add(closing.fd(), Epoll.READABLE, 1);
            return new RulesetChanges(socket, closing, epoll);
        } catch (IOException | RuntimeException e) {
            if (epoll != null) epoll.close();
            if (closing != null) closing.close();
            socket.close();
            throw e;
        }
    }

    /// Returns when somebody has changed the rules.
    ///
    /// @param own whether a process id is of a program whose changes do not count
    /// @return false when this was closed
    public boolean await(IntPredicate own) throws IOException {
        try (var memory = new NativeMemory(RECEIVE_LENGTH)) {
            while (!closed) {
                epoll.await(-1);
                if (closed) break;
                if (readAll(memory, own)) return true;
            }
        } finally {
            if (closed) free();
        }
        return false;
    }

    private boolean readAll(NativeMemory memory, IntPredicate own) throws IOException {
        boolean foreign = false;
        for (;;) {
            int length = SocketLibc.recv(socket.number(), memory.pointer(), RECEIVE_LENGTH, 0);
            if (length < 0) {
                int errno = Native.getLastError();
                if (errno == Errno.EAGAIN.number()) return foreign;
                if (errno == Errno.EINTR.number()) continue;
                // More has happened than fits: whose it was is not known.
                if (errno != Errno.ENOBUFS.number()) throw new ErrnoException(errno, "recv", "nftables");
                foreign = true;
            } else {
                foreign |= hasForeign(memory.pointer().getByteBuffer(0, length), own);
            }
        }
    }

    /// Each transaction ends with a message that says who made it.
    private static boolean hasForeign(ByteBuffer received, IntPredicate own) {
        while (received.remaining() >= NetlinkMessage.HEADER_LENGTH) {
            int start = received.position();
            int length = received.getInt();
            int type = Short.toUnsignedInt(received.getShort());
            if (length < NetlinkMessage.HEADER_LENGTH || length > received.limit() - start) return true;
            if (type == (NFNL_SUBSYS_NFTABLES | NFT_MSG_NEWGEN) && length >= NetlinkMessage.HEADER_LENGTH + NFGENMSG) {
                int skip = NetlinkMessage.HEADER_LENGTH + NFGENMSG;
                var attributes = NetlinkAttributes.parse(received.slice(start + skip, length - skip).order(received.order()));
                byte[] pid = attributes.bytes(NFTA_GEN_PROC_PID);
                // In the network's byte order, as most of nf_tables.
                if (pid == null || pid.length != 4 || !own.test(ByteBuffer.wrap(pid).getInt())) return true;
            }
            received.position(Math.min(received.limit(), start + (length + 3 & ~3)));
        }
        return false;
    }

    /// Has [#await] return.
    @Override
    public void close() {
        closed = true;
        closing.signal();
    }

    private void free() {
        epoll.close();
        closing.close();
        socket.close();
    }
}
