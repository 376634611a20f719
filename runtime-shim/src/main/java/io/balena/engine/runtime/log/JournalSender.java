package io.balena.engine.runtime.log;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.JournalSocket;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The shim's line to systemd's journal, one for all containers.
///
/// The journal knows the unit of an entry by the process that sent it, so it must be sent from here: the shim lives in the cgroup of
/// the engine's unit. While the journal takes nothing because it is behind, the containers wait; while it is gone, as when it is
/// started anew, they wait for so long, then their lines are dropped until it is back.
final class JournalSender {
    static final Path SOCKET = Path.of("/run/systemd/journal/socket");
    private static final int RETRY_MILLIS = 100;
    private static final long GIVE_UP_NANOS = 10_000_000_000L;

    private final Path path;
    private final NativeBuffer buffer;
    private final EventLoop loop;
    private final Diagnostics diagnostics;
    private final List<Runnable> waiting = new ArrayList<>();
    private JournalSocket socket;
    private EventLoop.Watch watch;
    private boolean retrying;
    private boolean gone;
    private long goneSince;
    private long lastAttempt;
    private long dropped;

    /// @param buffer lent by the shim for the time of a call
    JournalSender(Path path, NativeBuffer buffer, EventLoop loop, Diagnostics diagnostics) {
        this.path = path;
        this.buffer = buffer;
        this.loop = loop;
        this.diagnostics = diagnostics;
    }

    boolean isThere() {
        try {
            if (socket == null) connect();
            return true;
        } catch (ErrnoException e) {
            return false;
        }
    }

    /// Sends one entry.
    ///
    /// @param again called when it is worth to try again
    /// @return false when the entry was not taken
    boolean send(byte[] entry, int length, Runnable again) {
        if (gone && socket == null && hasGivenUp() && System.nanoTime() - lastAttempt < RETRY_MILLIS * 1_000_000L) {
            dropped++;
            return true;
        }
        ErrnoException failure = null;
        // A journal that was started anew has a new socket under the old name.
        for (int attempt = 0; attempt < 2; attempt++) {
            try {
                if (socket == null) connect();
                boolean taken = put(entry, length);
                if (taken) back();
                else awaitRoom(again);
                return taken;
            } catch (ErrnoException e) {
                failure = e;
                disconnect();
            }
        }
        return lose(failure, again);
    }

    private void connect() throws ErrnoException {
        lastAttempt = System.nanoTime();
        socket = JournalSocket.connect(path);
        watch = loop.watch(socket.fd(), _ -> wake());
    }

    private void disconnect() {
        if (socket == null) return;
        watch.forget();
        socket.close();
        socket = null;
    }

    private boolean put(byte[] entry, int length) throws ErrnoException {
        if (length <= buffer.capacity()) {
            buffer.put(0, entry, 0, length);
            return socket.send(buffer, length);
        }
        try (NativeBuffer large = new NativeBuffer(length)) {
            large.put(0, entry, 0, length);
            return socket.send(large, length);
        }
    }

    private void awaitRoom(Runnable again) {
        waiting.add(again);
        watch.want(Epoll.WRITABLE);
    }

    private boolean lose(ErrnoException failure, Runnable again) {
        if (!gone) {
            gone = true;
            goneSince = System.nanoTime();
            diagnostics.error("the journal is not there, containers that log to it wait", failure);
        }
        if (hasGivenUp()) {
            if (dropped++ == 0) diagnostics.warning("lines are dropped until the journal is back");
            return true;
        }
        waiting.add(again);
        if (!retrying) {
            retrying = true;
            loop.after(RETRY_MILLIS, () -> {
                retrying = false;
                wake();
            });
        }
        return false;
    }

    private boolean hasGivenUp() {
        return System.nanoTime() - goneSince > GIVE_UP_NANOS;
    }

    private void back() {
        if (!gone) return;
        gone = false;
        diagnostics.info("the journal is back, " + dropped + " lines were dropped");
        dropped = 0;
    }

    private void wake() {
        if (watch != null && socket != null) watch.pause();
        List<Runnable> all = new ArrayList<>(waiting);
        waiting.clear();
        for (int i = 0; i < all.size(); i++) all.get(i).run();
    }
}
