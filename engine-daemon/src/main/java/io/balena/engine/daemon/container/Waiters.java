package io.balena.engine.daemon.container;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/// Those who wait for something to happen to one container.
final class Waiters {
    private final List<CompletableFuture<Integer>> exit = new ArrayList<>();
    private final List<CompletableFuture<Integer>> removal = new ArrayList<>();

    /// Completes with the exit code when the container next ends and is not about to be started again.
    synchronized CompletableFuture<Integer> nextExit() {
        return add(exit);
    }

    /// Completes with the last exit code when the container has been removed.
    synchronized CompletableFuture<Integer> removal() {
        return add(removal);
    }

    private CompletableFuture<Integer> add(List<CompletableFuture<Integer>> to) {
        var waiter = new CompletableFuture<Integer>();
        to.removeIf(CompletableFuture::isDone); // those who gave up
        to.add(waiter);
        return waiter;
    }

    void exited(int code) {
        complete(exit, code);
    }

    void removed(int code) {
        complete(exit, code);
        complete(removal, code);
    }

    private void complete(List<CompletableFuture<Integer>> waiters, int code) {
        List<CompletableFuture<Integer>> all;
        synchronized (this) {
            all = List.copyOf(waiters);
            waiters.clear();
        }
        all.forEach(waiter -> waiter.complete(code));
    }
}
