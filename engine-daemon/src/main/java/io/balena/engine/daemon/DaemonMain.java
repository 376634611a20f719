package io.balena.engine.daemon;

import io.balena.engine.linux.ServiceManager;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import sun.misc.Signal;

/// The daemon's program: `balenad [OPTIONS]`.
public final class DaemonMain {
    private static final String PROGRAM = "balena-engine-daemon";
    private static final String CARRIERS = "jdk.virtualThreadScheduler.parallelism";

    // A system call made through JNA holds its carrier, and one such as syncfs(2) may take seconds. With as many carriers as processors
    // (one, on some devices) nobody would be answered meanwhile. Carriers are made when needed and cost little.
    static {
        int carriers = Math.max(8, Runtime.getRuntime().availableProcessors());
        if (System.getProperty(CARRIERS) == null) System.setProperty(CARRIERS, Integer.toString(carriers));
    }

    private DaemonMain() {}

    public static void main(String[] arguments) {
        System.exit(run(arguments));
    }

    private static int run(String... arguments) {
        EngineConfig config;
        try {
            Settings settings = CommandLine.parse(PROGRAM, arguments);
            if (settings.flag("help")) {
                System.out.print(CommandLine.usage(PROGRAM));
                return 0;
            }
            if (settings.flag("version")) {
                EngineVersion version = EngineVersion.current();
                System.out.println("balena-engine version " + version.version() + ", build " + version.commit());
                return 0;
            }
            ConfigFile.addTo(settings);
            setLogLevel(settings);
            config = EngineConfig.of(settings);
            EngineConfig.warnings(settings).forEach(warning -> log().log(Level.WARNING, warning));
        } catch (CommandLine.UsageException e) {
            System.err.println(e.getMessage() + "\nSee '" + PROGRAM + " --help'.");
            return 1;
        } catch (ConfigFile.ConfigException | IllegalArgumentException e) {
            System.err.println(e.getMessage());
            return 1;
        }
        return serve(config);
    }

    private static int serve(EngineConfig config) {
        log().log(Level.INFO, "Starting up");
        var asked = new CountDownLatch(1);
        stopOnSignals(asked);
        var manager = ServiceManager.fromEnvironment();
        try (PidFile _ = PidFile.create(config.pidFile());
                Engine engine = Engine.open(config)) {
            engine.listen();
            log().log(Level.DEBUG, () -> "Listening " + sinceStart().toMillis() + " ms after the process began");
            tell(manager, "READY=1");
            asked.await();
            log().log(Level.INFO, "Processing signal 'terminated'");
            tell(manager, "STOPPING=1");
            return 0;
        } catch (IOException | RuntimeException e) {
            System.err.println("failed to start daemon: " + (e.getMessage() == null ? e : e.getMessage()));
            log().log(Level.DEBUG, "failed to start daemon", e);
            return 1;
        } catch (InterruptedException e) {
            return 1;
        }
    }

    // A JVM asked to end by its shutdown hooks exits with 143, which systemd takes for a failure.
    private static void stopOnSignals(CountDownLatch asked) {
        var count = new AtomicInteger();
        for (String name : new String[] {"TERM", "INT"}) {
            Signal.handle(new Signal(name), _ -> {
                asked.countDown();
                // As dockerd: whoever insists gets what he wants, and containers are found again by the next start.
                if (count.incrementAndGet() == 3) Runtime.getRuntime().halt(1);
            });
        }
        // Left to themselves both would end the process.
        for (String name : new String[] {"HUP", "USR1"}) {
            Signal.handle(new Signal(name), signal -> log().log(Level.WARNING, "Got signal " + signal.getName() + ", which has no effect yet"));
        }
    }

    private static void setLogLevel(Settings settings) {
        Level level = switch (settings.text("log-level")) {
            case "debug", "trace" -> Level.DEBUG;
            case "info" -> Level.INFO;
            case "warn", "warning" -> Level.WARNING;
            case "error", "fatal", "panic" -> Level.ERROR;
            case String other -> throw new IllegalArgumentException("unable to parse logging level: " + other);
        };
        LogfmtLogger.threshold(settings.flag("debug") ? Level.DEBUG : level);
    }

    private static Duration sinceStart() {
        return ProcessHandle.current().info().startInstant().map(start -> Duration.between(start, Instant.now())).orElse(Duration.ZERO);
    }

    private static void tell(ServiceManager manager, String state) {
        try {
            manager.tell(state);
        } catch (IOException e) {
            log().log(Level.WARNING, "Could not notify the service manager: " + e.getMessage());
        }
    }

    private static Logger log() {
        return System.getLogger(DaemonMain.class.getName());
    }
}
