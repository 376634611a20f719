package io.balena.engine.packaging.contract;

import com.sun.jna.Native;
import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import java.util.Arrays;

/// One client's connection and the one made for it to the engine. For the relay's thread.
final class RelayedConnection {
    static {
        Native.register(RelayedConnection.class, "c");
    }

    private static native long send(int socket, byte[] bytes, long length, int flags);

    private static native int shutdown(int socket, int how);

    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int SHUT_WR = 1;

    /// One end, and what is on its way to the other.
    private static final class End {
        final Fd fd;
        final long token;
        byte[] pending = {};
        /// It has nothing more to say.
        boolean finished;
        /// It has been told that the other has nothing more to say.
        boolean told;
        boolean gone;
        boolean watched = true;
        int interest = Epoll.READABLE;

        End(Fd fd, long token) {
            this.fd = fd;
            this.token = token;
        }
    }

    private final Epoll epoll;
    private final End client;
    private final End engine;
    private final Transcript transcript;
    private final byte[] buffer;

    /// @param buffer lent for the time of a call
    RelayedConnection(Epoll epoll, long id, Fd client, Fd engine, byte[] buffer, Transcript transcript) throws ErrnoException {
        this.epoll = epoll;
        this.client = new End(client, id << 1);
        this.engine = new End(engine, id << 1 | 1);
        this.buffer = buffer;
        this.transcript = transcript;
        for (End end : new End[] {this.client, this.engine}) epoll.add(end.fd, end.interest, end.token);
    }

    /// @return false when there is nothing more to do for it
    boolean serve(long token, int events) throws ErrnoException {
        End from = token == client.token ? client : engine;
        End to = from == client ? engine : client;
        if ((events & (Epoll.HANGUP | Epoll.ERROR)) != 0) leave(from);
        if ((events & Epoll.WRITABLE) != 0) flush(to, from);
        if ((events & (Epoll.READABLE | Epoll.HANGUP | Epoll.ERROR)) != 0) carry(from, to);
        // What a side that has gone had said before is still carried, as fast as it is taken.
        if (to.gone) carry(to, from);
        if (from.gone && from.finished && from.pending.length == 0) return false;
        if (to.gone && to.finished && to.pending.length == 0) return false;
        watch(from, to);
        watch(to, from);
        return true;
    }

    // A hang-up is reported for as long as it is watched for.
    private void leave(End end) throws ErrnoException {
        end.gone = true;
        if (end.watched) epoll.remove(end.fd);
        end.watched = false;
    }

    private void carry(End from, End to) {
        while (from.pending.length == 0 && !from.finished) {
            int length;
            try {
                length = from.fd.read(buffer);
            } catch (ErrnoException e) {
                if (e.errno() == Errno.EAGAIN) return;
                length = 0;
            }
            if (length == 0) {
                from.finished = true;
            } else {
                from.pending = Arrays.copyOf(buffer, length);
                if (from == client) transcript.clientSaid(from.pending);
                else transcript.engineSaid(from.pending);
            }
            flush(from, to);
        }
    }

    private static void flush(End from, End to) {
        while (from.pending.length > 0) {
            long sent = send(to.fd.number(), from.pending, from.pending.length, MSG_NOSIGNAL);
            if (sent < 0) {
                if (Native.getLastError() == Errno.EAGAIN.number()) return;
                // Nobody hears it; what it still has to say itself is read when its hang-up is reported.
                from.pending = new byte[0];
                from.finished = true;
                to.told = true;
            } else {
                from.pending = Arrays.copyOfRange(from.pending, (int) sent, from.pending.length);
            }
        }
        if (from.finished && !to.told) {
            to.told = true;
            // An end that is only half closed goes on; of one that has gone, the connection is closed as a whole.
            if (!from.gone) shutdown(to.fd.number(), SHUT_WR);
        }
    }

    private void watch(End end, End other) throws ErrnoException {
        if (!end.watched) return;
        int wanted = (end.pending.length == 0 && !end.finished ? Epoll.READABLE : 0) | (other.pending.length > 0 ? Epoll.WRITABLE : 0);
        if (wanted != end.interest) epoll.modify(end.fd, wanted, end.token);
        end.interest = wanted;
    }

    void close() {
        transcript.ended();
        client.fd.close();
        engine.fd.close();
    }
}
