package io.balena.engine.cli;

import sun.misc.Signal;

import java.util.List;
import java.util.function.Consumer;

/// Signals sent to us. There is no public interface to them; this is the one place that uses the unsupported one.
final class Signals {
    private static final List<String> PASSED_ON = List.of("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "ALRM", "CONT", "WINCH");

    private Signals() {}

    /// Passes signals on by name, instead of ending us.
    static void passTo(Consumer<String> receiver) {
        for (var name : PASSED_ON) {
            if (!name.equals("WINCH")) handle(name, () -> receiver.accept(name));
        }
    }

    static void onResize(Runnable action) {
        handle("WINCH", action);
    }

    private static void handle(String name, Runnable action) {
        try {
            Signal.handle(new Signal(name), _ -> action.run());
        } catch (IllegalArgumentException _) {
            // The Java machine keeps some for itself (QUIT, USR1): these are not passed on.
        }
    }
}
