package io.balena.engine.linux;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

/// A thread whose kernel state (root, working directory, namespaces) is another than the rest of the process has, and which dies with
/// its task.
///
/// Whatever thread it starts inherits that state. And it may start one without knowing: waking a virtual thread by what is in
/// `java.util.concurrent` makes the waker start a carrier when there are too few, which from then on runs everybody's virtual
/// threads in the wrong place. So its end and its marks are waited for by monitors, whose waiters the JVM wakes from a thread of its own
/// (JEP 491). What its task does besides must not wake a virtual thread either.
public final class AlteredThread<T> {
    private final Thread thread;
    // Written by that thread, and read after it has ended, or under our monitor.
    private T result;
    private Throwable failure;
    private boolean altered;

    private AlteredThread(String name, Alteration first, Callable<T> work) {
        thread = Thread.ofPlatform().daemon().name(name).unstarted(() -> run(first, work));
    }

    interface Alteration {
        void make() throws Exception;
    }

    /// Starts `work` after `first` on a new thread; returns when `first` is done, or has failed: then `work` does not begin.
    static <T> AlteredThread<T> start(String name, Alteration first, Callable<T> work) {
        var started = new AlteredThread<>(name, first, work);
        started.thread.start();
        started.awaitAlteration();
        return started;
    }

    private void run(Alteration first, Callable<T> work) {
        try {
            first.make();
            mark();
            result = work.call();
        } catch (Throwable t) {
            failure = t;
            mark();
        }
    }

    private synchronized void mark() {
        altered = true;
        notifyAll();
    }

    /// Short, and half of it helps nobody: an interruption is kept for later.
    private synchronized void awaitAlteration() {
        boolean interrupted = false;
        while (!altered) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) Thread.currentThread().interrupt();
    }

    /// Waits for the end of the thread.
    ///
    /// @throws ExecutionException with what its work threw
    public T get() throws InterruptedException, ExecutionException {
        thread.join();
        if (failure != null) throw new ExecutionException(failure);
        return result;
    }
}
