package io.balena.engine.daemon.container.log;

import static java.nio.file.StandardWatchEventKinds.ENTRY_CREATE;
import static java.nio.file.StandardWatchEventKinds.ENTRY_MODIFY;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.Path;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;

/// Wakes those who wait for something to be written in a folder. One inotify instance serves all of them.
public final class FileChanges implements AutoCloseable {
    private final Map<WatchKey, List<Watch>> watches = new HashMap<>();
    private WatchService service;

    /// One waiter's registration.
    public final class Watch implements AutoCloseable {
        private final Semaphore changes = new Semaphore(0);
        private WatchKey key;

        /// Returns once something has changed since the last call, or [#wake()] was called.
        void await() throws InterruptedException {
            changes.acquire();
            changes.drainPermits();
        }

        /// Ends the wait now, or the next one.
        public void wake() {
            changes.release();
        }

        @Override
        public void close() {
            forget(this);
        }
    }

    public synchronized Watch watch(Path directory) throws IOException {
        if (service == null) start(directory);
        var watch = new Watch();
        watch.key = directory.register(service, ENTRY_MODIFY, ENTRY_CREATE);
        watches.computeIfAbsent(watch.key, _ -> new ArrayList<>()).add(watch);
        return watch;
    }

    private void start(Path directory) throws IOException {
        WatchService started = directory.getFileSystem().newWatchService();
        service = started;
        Thread.ofPlatform().daemon().name("log-watch").start(() -> forward(started));
    }

    private void forward(WatchService from) {
        try {
            while (true) {
                WatchKey key = from.take();
                key.pollEvents();
                key.reset();
                synchronized (this) {
                    for (Watch watch : watches.getOrDefault(key, List.of())) watch.wake();
                }
            }
        } catch (ClosedWatchServiceException | InterruptedException e) {
            // Closed with the engine.
        }
    }

    private synchronized void forget(Watch watch) {
        List<Watch> others = watches.get(watch.key);
        if (others == null) return;
        others.remove(watch);
        if (others.isEmpty()) {
            watches.remove(watch.key);
            watch.key.cancel();
        }
    }

    @Override
    public synchronized void close() throws IOException {
        if (service != null) service.close();
    }
}
