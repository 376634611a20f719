package io.balena.engine.runtime.command;

import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Fd;
import io.balena.engine.linux.NativeBuffer;
import io.balena.engine.linux.PseudoTerminal;
import io.balena.engine.linux.TerminalMode;
import java.io.IOException;

/// Carries bytes between a terminal of ours and one of a container, by a thread for each direction.
final class JoinedTerminals implements AutoCloseable {
    private static final int BUFFER = 32 << 10;
    /// What other processes may still write after the first has ended is not waited for.
    private static final int PATIENCE_MILLIS = 1000;

    private final Fd ours;
    private final Fd master;
    private final TerminalMode mode;
    private final Thread output;

    private JoinedTerminals(Fd ours, Fd master, TerminalMode mode) {
        this.ours = ours;
        this.master = master;
        this.mode = mode;
        this.output = copying("output", master, new Fd(1));
    }

    static JoinedTerminals join(Fd ours, Fd master) throws IOException {
        var joined = new JoinedTerminals(ours, master, TerminalMode.raw(ours));
        joined.output.start();
        copying("input", new Fd(0), master).start();
        return joined;
    }

    private static Thread copying(String name, Fd from, Fd to) {
        return Thread.ofPlatform().daemon().name(name).unstarted(() -> {
            try (var buffer = new NativeBuffer(BUFFER)) {
                for (int count; (count = buffer.read(from, 0, BUFFER)) != 0; ) {
                    for (int written = 0; written < count; ) written += Math.max(0, buffer.write(to, written, count - written));
                }
            } catch (ErrnoException _) {
                // EIO: nobody has the container's side open any more
            }
        });
    }

    /// Ours has another size now.
    void resize() {
        try {
            int[] size = PseudoTerminal.windowSize(ours);
            PseudoTerminal.setWindowSize(master, size[0], size[1]);
        } catch (ErrnoException _) {
            // it is gone
        }
    }

    /// Waits until what the container has written has left.
    void awaitOutput() {
        try {
            output.join(PATIENCE_MILLIS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        mode.close();
    }
}
