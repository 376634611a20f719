package io.balena.engine.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// Descriptors that become readable when something happens in a control group.
public final class CgroupEvents {
    private static final int IN_MODIFY = 2;

    private CgroupEvents() {}

    /// For a file of a cgroup of version 1 that announces events, e.g. `memory.oom_control`. Also readable when the group is removed.
    ///
    /// @see <a href="https://docs.kernel.org/admin-guide/cgroup-v1/memory.html#oom-control">OOM control</a>
    public static Fd announcedBy(Path cgroup, String file) throws IOException {
        Fd event = EventFd.create();
        try (Fd control = Fd.open(cgroup.resolve(file), OpenFlags.RDONLY)) {
            byte[] line = (event.number() + " " + control.number()).getBytes(StandardCharsets.US_ASCII);
            Files.write(cgroup.resolve("cgroup.event_control"), line, StandardOpenOption.WRITE);
        } catch (IOException e) {
            event.close();
            throw e;
        }
        return event;
    }

    /// For a file whose content changes, e.g. `memory.events` of a cgroup of version 2.
    public static Fd changesOf(Path file) throws IOException {
        int flags = OpenFlags.CLOEXEC | OpenFlags.NONBLOCK;
        Fd event = new Fd(Libc.check(LoopLibc.inotify_init1(flags), "inotify_init1", null));
        try {
            Libc.check(LoopLibc.inotify_add_watch(event.number(), file.toString(), IN_MODIFY), "inotify_add_watch", file);
        } catch (IOException e) {
            event.close();
            throw e;
        }
        return event;
    }
}
