package io.balena.engine.runtime.shim;

import io.balena.engine.linux.Children;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.MappedFiles;
import io.balena.engine.linux.OpenFlags;
import io.balena.engine.runtime.loop.Diagnostics;
import io.balena.engine.runtime.loop.EventLoop;
import io.balena.engine.runtime.wire.Protocol;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/// The shim process. Started by `Shim`, which passes `--socket`, `--lock` and `--state` with a path each.
///
/// It prints a line on stdout when it can be connected to, and then lets go of it; its own log is stderr.
public final class ShimMain {
    private static final int LULL_MILLIS = 2000;

    private ShimMain() {}

    public static void main(String[] arguments) {
        Diagnostics diagnostics = new Diagnostics(System.err);
        try {
            System.exit(run(arguments, diagnostics));
        } catch (IOException | RuntimeException e) {
            diagnostics.error("the shim cannot go on", e);
            System.exit(1);
        }
    }

    private static int run(String[] arguments, Diagnostics diagnostics) throws IOException {
        Path socket = option(arguments, "--socket");
        Path stateRoot = option(arguments, "--state");
        Fd lock = Fd.open(option(arguments, "--lock"), OpenFlags.WRONLY | OpenFlags.APPEND | OpenFlags.CREAT, 0600);
        // First of all: ctrl-C in the daemon's terminal must not reach containers.
        Children.leaveSession();
        if (!lock.tryLock()) return Protocol.PLACE_TAKEN;
        Children.adoptOrphans();
        takeName();
        keepFromBeingKilled(diagnostics);
        File state = stateRoot.toFile();
        if (!state.isDirectory() && !state.mkdirs()) throw new IOException("cannot make " + state);

        try (var loop = new EventLoop(diagnostics)) {
            ShimServer server = new ShimServer(stateRoot, loop, diagnostics);
            server.open(socket, stateRoot);
            stayWhileContainersLive(server, loop);
            loop.whenQuiet(LULL_MILLIS, () -> releaseMappedFiles(diagnostics));
            announce();
            loop.run();
        }
        return 0;
    }

    /// For `ps` and `top`: it was started from a file that has no name.
    private static void takeName() throws IOException {
        try (var out = new FileOutputStream("/proc/self/comm")) {
            out.write("balena-engine-shim".getBytes(StandardCharsets.US_ASCII));
        }
    }

    /// A child that is being set up is in its container's cgroup and shares our memory. Should the container be out of memory just
    /// then, the kernel would take the child for its greatest user, and kill all who have that memory. Only -1000 keeps it from it.
    private static void keepFromBeingKilled(Diagnostics diagnostics) {
        try (var out = new FileOutputStream("/proc/self/oom_score_adj")) {
            out.write("-1000".getBytes(StandardCharsets.US_ASCII));
        } catch (IOException e) {
            diagnostics.warning("the shim may be killed for a container that is out of memory: " + e.getMessage());
        }
    }

    /// SIGTERM, as at shutdown, begins the JVM's end; it waits here for the last container, whose output is still to be logged.
    private static void stayWhileContainersLive(ShimServer server, EventLoop loop) {
        Runtime.getRuntime().addShutdownHook(new Thread("shutdown") {
            @Override
            public void run() {
                if (loop.hasEnded()) return;
                CountDownLatch ended = new CountDownLatch(1);
                loop.execute(() -> server.leaveWhenContainersHaveEnded(ended::countDown));
                try {
                    ended.await();
                } catch (InterruptedException e) {
                    return; // then at once
                }
            }
        });
    }

    private static void releaseMappedFiles(Diagnostics diagnostics) {
        try {
            MappedFiles.release();
        } catch (IOException e) {
            diagnostics.warning("what is mapped of files stays: " + e.getMessage());
        }
    }

    private static void announce() throws ErrnoException {
        System.out.println("ready");
        try (Fd nothing = Fd.openNull()) {
            nothing.replace(1);
        }
    }

    private static Path option(String[] arguments, String name) throws IOException {
        for (int i = 0; i + 1 < arguments.length; i++) {
            if (arguments[i].equals(name)) return Path.of(arguments[i + 1]);
        }
        throw new IOException("missing option " + name);
    }
}
