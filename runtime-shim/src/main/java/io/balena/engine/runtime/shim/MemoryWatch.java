package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Epoll;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.runtime.container.ContainerRuntime;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import java.io.IOException;

/// Hears when the kernel kills a process of a container because memory has run out, and tells those who want to know.
final class MemoryWatch {
    private static final int MOST_EVENT_BYTES = 4096;

    private final String container;
    private final ContainerRuntime runtime;
    private final EventLoop loop;
    private final NativeBuffer buffer;
    private final Subscribers subscribers;
    private final Diagnostics diagnostics;
    private Fd announcements;
    private EventLoop.Watch watch;
    private long kills;

    /// @param buffer lent by the shim for the time of one event
    MemoryWatch(
            String container, ContainerRuntime runtime, EventLoop loop, NativeBuffer buffer, Subscribers subscribers, Diagnostics diagnostics) {
        this.container = container;
        this.runtime = runtime;
        this.loop = loop;
        this.buffer = buffer;
        this.subscribers = subscribers;
        this.diagnostics = diagnostics;
    }

    /// @param fd from [ContainerRuntime#watchOutOfMemory]; ours from now on
    void begin(Fd fd) {
        announcements = fd;
        watch = loop.watch(fd, _ -> {
            try {
                if (buffer.read(fd, 0, MOST_EVENT_BYTES) == 0) end();
            } catch (ErrnoException e) {
                end();
            }
            if (watch != null) count();
        });
        watch.want(Epoll.READABLE);
    }

    void count() {
        try {
            long now = runtime.outOfMemoryKills(container);
            if (now > kills) {
                kills = now;
                subscribers.outOfMemory(container);
            }
        } catch (IOException e) {
            diagnostics.error("cannot count out-of-memory kills of " + container, e);
        }
    }

    boolean anyKilled() {
        return kills > 0;
    }

    void end() {
        if (watch != null) watch.forget();
        watch = null;
        if (announcements != null) announcements.close();
        announcements = null;
    }
}
