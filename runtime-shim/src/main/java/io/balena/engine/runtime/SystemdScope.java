package io.balena.engine.runtime;

import java.io.IOException;
import java.time.Duration;

/// A scope unit in the hands of systemd. Each call is a conversation of its own over the system bus.
///
/// @see <a href="https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html">org.freedesktop.systemd1(5)</a>
final class SystemdScope {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final String SYSTEMD = "org.freedesktop.systemd1";
    private static final String PATH = "/org/freedesktop/systemd1";
    private static final String MANAGER = "org.freedesktop.systemd1.Manager";
    private static final String JOB_REMOVED = "JobRemoved";

    private final ScopeName name;

    SystemdScope(ScopeName name) {
        this.name = name;
    }

    /// Returns when the scope has its groups and its first process is in them.
    ///
    /// @throws ContainerFailure when systemd refuses
    void start(ScopeProperties properties) throws ContainerFailure {
        try (var bus = SystemBus.connect(PATIENCE)) {
            listenToJobs(bus);
            String job;
            try {
                job = startTransient(bus, properties);
            } catch (SystemBus.Refused e) {
                if (!e.name().equals("org.freedesktop.systemd1.UnitExists")) throw e;
                // What failed in an earlier life stays known until somebody has seen it.
                resetFailed(bus);
                job = startTransient(bus, properties);
            }
            String result = awaitJob(bus, job);
            if (result.equals("done")) return;
            resetFailed(bus);
            throw failure("error creating systemd unit `" + name.unit() + "`: got `" + result + "`");
        } catch (ContainerFailure e) {
            throw e;
        } catch (IOException e) {
            throw failure("unable to start unit \"" + name.unit() + "\": " + e.getMessage());
        }
    }

    private String startTransient(SystemBus bus, ScopeProperties properties) throws IOException {
        return bus.call(SYSTEMD, PATH, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", body -> {
            body.string(name.unit()).string("replace");
            properties.write(body);
            body.array(8, _ -> {}); // no further units
        }).read().string();
    }

    /// Ends the scope; does nothing when it is gone, as it is once its last process has ended.
    void stop() throws ContainerFailure {
        try (var bus = SystemBus.connect(PATIENCE)) {
            listenToJobs(bus);
            try {
                awaitJob(bus, bus.call(SYSTEMD, PATH, MANAGER, "StopUnit", "ss", body -> body.string(name.unit()).string("replace"))
                        .read().string());
            } catch (SystemBus.Refused e) {
                if (!e.name().equals("org.freedesktop.systemd1.NoSuchUnit")) throw e;
            }
            resetFailed(bus);
        } catch (IOException e) {
            throw failure("unable to stop unit \"" + name.unit() + "\": " + e.getMessage());
        }
    }

    /// Until the next boot, or the end of the scope.
    void change(ScopeProperties properties) throws ContainerFailure {
        if (properties.isEmpty()) return;
        try (var bus = SystemBus.connect(PATIENCE)) {
            bus.call(SYSTEMD, PATH, MANAGER, "SetUnitProperties", "sba(sv)", body -> {
                body.string(name.unit()).flag(true);
                properties.write(body);
            });
        } catch (IOException e) {
            throw failure("unable to set properties of unit \"" + name.unit() + "\": " + e.getMessage());
        }
    }

    private static void listenToJobs(SystemBus bus) throws IOException {
        bus.listenTo(SYSTEMD, PATH, JOB_REMOVED);
        // Only while somebody is subscribed does systemd say anything.
        bus.call(SYSTEMD, PATH, MANAGER, "Subscribe", "", _ -> {});
    }

    /// @return how the job ended, e.g. `done`, `failed`, `canceled`
    private static String awaitJob(SystemBus bus, String job) throws IOException {
        while (true) {
            BusMessage.Reader signal = bus.nextSignal(JOB_REMOVED).read();
            signal.uint32();
            if (!signal.string().equals(job)) continue;
            signal.string();
            return signal.string();
        }
    }

    private void resetFailed(SystemBus bus) throws IOException {
        try {
            bus.call(SYSTEMD, PATH, MANAGER, "ResetFailedUnit", "s", body -> body.string(name.unit()));
        } catch (SystemBus.Refused _) {
            // It has not failed, or is gone.
        }
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
