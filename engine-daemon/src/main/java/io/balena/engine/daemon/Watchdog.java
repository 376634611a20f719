package io.balena.engine.daemon;

import io.balena.engine.linux.ServiceManager;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/// Tells systemd that the engine is alive, where the unit has `WatchdogSec=`: as long as it answers its own API. One that has come to a
/// standstill is restarted then, and its containers do not notice.
///
/// @see <a href="https://www.freedesktop.org/software/systemd/man/latest/sd_watchdog_enabled.html">sd_watchdog_enabled(3)</a>
final class Watchdog {
    private Watchdog() {}

    static void start(ServiceManager manager, BooleanSupplier answers) {
        limit(System.getenv(), ProcessHandle.current().pid()).ifPresent(limit -> {
            var pause = limit.dividedBy(2);
            Thread.ofPlatform().daemon().name("watchdog").start(() -> ping(manager, answers, pause));
        });
    }

    /// How long systemd waits; empty when it does not, or for another process.
    static Optional<Duration> limit(Map<String, String> environment, long pid) {
        String microseconds = environment.getOrDefault("WATCHDOG_USEC", "");
        String process = environment.getOrDefault("WATCHDOG_PID", "");
        if (!microseconds.matches("[1-9]\\d{0,17}") || !process.isEmpty() && !process.equals(Long.toString(pid))) return Optional.empty();
        return Optional.of(Duration.ofNanos(Long.parseLong(microseconds) * 1000));
    }

    private static void ping(ServiceManager manager, BooleanSupplier answers, Duration pause) {
        while (true) {
            try {
                if (answers.getAsBoolean()) manager.tell("WATCHDOG=1");
                else System.getLogger(Watchdog.class.getName()).log(Level.ERROR, "The API does not answer: the watchdog is not told");
                Thread.sleep(pause);
            } catch (IOException e) {
                System.getLogger(Watchdog.class.getName()).log(Level.WARNING, "Could not notify the service manager: " + e.getMessage());
            } catch (InterruptedException e) {
                return;
            }
        }
    }
}
