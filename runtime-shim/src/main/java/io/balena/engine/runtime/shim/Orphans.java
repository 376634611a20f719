package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Children;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.loop.Workers;
import java.util.OptionalInt;

/// Reaps what ended and is nobody's: processes of containers whose parents are gone.
final class Orphans {
    /// They wait for this long, in case nothing else happens meanwhile.
    private static final int MOST_WAIT_MILLIS = 60_000;

    /// Who knows the processes that are somebody's.
    interface Owners {
        /// The process with this pid whose end is waited for, or null.
        OwnedProcess owner(int pid);

        /// Whether any orphans may come.
        boolean haveAny();
    }

    private final Owners owners;
    private final EventLoop loop;
    private final Workers workers;
    private final Diagnostics diagnostics;
    private boolean expected;
    private boolean waiting;

    Orphans(Owners owners, EventLoop loop, Workers workers, Diagnostics diagnostics) {
        this.owners = owners;
        this.loop = loop;
        this.workers = workers;
        this.diagnostics = diagnostics;
        // Another runtime may have left children, and as long as one is not reaped, its pid namespace cannot end.
        workers.whenIdle(this::lookSoon);
    }

    /// Not at once: it may find another end, and that one the next, each deeper in the stack.
    void lookSoon() {
        if (!expected) loop.after(0, this::look);
        expected = true;
    }

    void lookIn(int millis) {
        loop.after(millis, this::look);
    }

    /// Now and then, as long as any may come.
    void lookLater() {
        if (waiting || !owners.haveAny()) return;
        waiting = true;
        loop.after(MOST_WAIT_MILLIS, () -> {
            waiting = false;
            look();
            lookLater();
        });
    }

    /// Not while the runtime is at work, which has children of its own to wait for.
    private void look() {
        expected = false;
        try {
            while (workers.areIdle()) {
                OptionalInt pid = Children.anyEnded();
                if (pid.isEmpty()) return;
                OwnedProcess owned = owners.owner(pid.getAsInt());
                if (owned != null) owned.lookForEnd();
                else Children.reap(pid.getAsInt());
            }
        } catch (ErrnoException e) {
            diagnostics.error("cannot reap orphans", e);
        }
    }
}
