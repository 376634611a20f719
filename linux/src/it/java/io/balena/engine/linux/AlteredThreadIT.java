package io.balena.engine.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AlteredThreadIT {
    @TempDir
    Path root;

    /// Run alone, there is no carrier but that of the one who waits; more are needed as soon as it goes on and others are to run.
    @Test
    void whoWaitsForItIsNotCarriedElsewhereAfterwards() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        var arrived = new CountDownLatch(16);
        var go = new CountDownLatch(1);
        var waiting = new ArrayList<Thread>();
        for (int i = 0; i < 16; i++) {
            waiting.add(Thread.ofVirtual().start(() -> {
                try {
                    ThreadRoot.startIn(root, "elsewhere", () -> {
                        Thread.sleep(20);
                        return null;
                    }).get();
                    long end = System.nanoTime() + 50_000_000;
                    while (System.nanoTime() < end) Thread.onSpinWait();
                    arrived.countDown();
                    go.await();
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            }));
        }
        arrived.await();
        // The altered threads end; a carrier would stay for half a minute, wherever it is.
        long limit = System.nanoTime() + 10_000_000_000L;
        while (!Set.copyOf(roots()).equals(Set.of("/")) && System.nanoTime() < limit) LockSupport.parkNanos(10_000_000);
        assertEquals(Set.of("/"), Set.copyOf(roots()));
        go.countDown();
        for (Thread thread : waiting) thread.join();
    }

    @Test
    void whatFailsBeforeTheWorkIsThrownAtOnceAndTheWorkDoesNotBegin() {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        var begun = new boolean[1];
        var e = assertThrows(ErrnoException.class, () -> ThreadRoot.startIn(root.resolve("none"), "nowhere", () -> {
            begun[0] = true;
            return null;
        }));
        assertEquals(Errno.ENOENT, e.errno());
        assertFalse(begun[0]);
    }

    /// Of all threads of this process.
    private static List<String> roots() throws IOException {
        List<String> roots = new ArrayList<>();
        try (var tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                try {
                    roots.add(Files.readSymbolicLink(task.resolve("root")).toString());
                } catch (IOException e) {
                    // It has ended.
                }
            }
        }
        return roots;
    }
}
