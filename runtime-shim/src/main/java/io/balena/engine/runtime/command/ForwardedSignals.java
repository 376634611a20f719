package io.balena.engine.runtime.command;

import io.balena.engine.linux.PidFd;
import java.io.IOException;
import sun.misc.Signal;

/// Signals that are sent to the command are meant for the process it runs in the foreground. The JVM keeps SIGQUIT for itself, and
/// those that tell it of its own faults.
final class ForwardedSignals {
    private static final String[] FORWARDED = {
        "HUP", "INT", "TERM", "USR1", "ALRM", "CONT", "TSTP", "TTIN", "TTOU", "IO", "PWR", "XCPU", "VTALRM", "PROF"
    };

    private ForwardedSignals() {}

    static void to(PidFd process) {
        to(process, () -> send(process, 28));
    }

    /// @param resized what to do when our terminal has another size
    static void to(PidFd process, Runnable resized) {
        for (String name : FORWARDED) handle(name, () -> send(process, numberOf(name)));
        handle("WINCH", resized);
    }

    private static int numberOf(String name) {
        return new Signal(name).getNumber();
    }

    private static void handle(String name, Runnable action) {
        try {
            Signal.handle(new Signal(name), _ -> action.run());
        } catch (IllegalArgumentException _) {
            // the JVM's own
        }
    }

    private static void send(PidFd process, int signal) {
        try {
            process.signal(signal);
        } catch (IOException | IllegalStateException _) {
            // it has ended
        }
    }
}
