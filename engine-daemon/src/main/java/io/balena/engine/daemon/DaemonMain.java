package io.balena.engine.daemon;

import io.balena.engine.linux.ServiceManager;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
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
        Settings flags;
        Settings settings;
        try {
            settings = CommandLine.parse(PROGRAM, arguments);
            if (settings.flag("help")) {
                System.out.print(CommandLine.usage(PROGRAM));
                return 0;
            }
            if (settings.flag("version")) {
                EngineVersion version = EngineVersion.current();
                System.out.println("balena-engine version " + version.version() + ", build " + version.commit());
                return 0;
            }
            flags = settings.copy();
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
        return serve(config, flags, settings);
    }

    private static int serve(EngineConfig config, Settings flags, Settings settings) {
        log().log(Level.INFO, "Starting up");
        var asked = new CountDownLatch(1);
        stopOnSignals(asked);
        var manager = ServiceManager.fromEnvironment();
        try (PidFile _ = PidFile.create(config.pidFile());
                Engine engine = Engine.open(config)) {
            engine.listen();
            log().log(Level.DEBUG, () -> "Listening " + sinceStart().toMillis() + " ms after the process began");
            tell(manager, "READY=1");
            reloadOnSignal(engine, manager, flags, settings);
            dumpOnSignal(config.execRoot());
            Watchdog.start(manager, engine::answers);
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
        // Left to themselves both would end the process, also one that has not come far yet.
        for (String name : new String[] {"HUP", "USR1"}) Signal.handle(new Signal(name), _ -> {});
    }

    private static void reloadOnSignal(Engine engine, ServiceManager manager, Settings flags, Settings settings) {
        var running = new AtomicReference<>(settings);
        Signal.handle(new Signal("HUP"), _ -> {
            log().log(Level.INFO, "Got signal to reload configuration, reloading from: " + flags.text("config-file"));
            tell(manager, "RELOADING=1\nMONOTONIC_USEC=" + System.nanoTime() / 1000);
            try {
                Settings next = new Reload(flags, running.get()).next();
                EngineConfig config = EngineConfig.of(next);
                setLogLevel(next);
                engine.reload(config);
                running.set(next);
                log().log(Level.INFO, "Reloaded configuration");
            } catch (ConfigFile.ConfigException | IllegalArgumentException | IOException e) {
                log().log(Level.ERROR, e.getMessage());
            }
            tell(manager, "READY=1");
        });
    }

    private static void dumpOnSignal(Path folder) {
        Signal.handle(new Signal("USR1"), _ -> {
            try {
                log().log(Level.INFO, "thread stacks written to " + ThreadDump.write(folder));
            } catch (IOException e) {
                log().log(Level.ERROR, "failed to write thread stacks: " + e.getMessage());
            }
        });
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
