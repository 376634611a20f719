package io.balena.engine.runtime.cgroup;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.bus.BusMessage;
import io.balena.engine.runtime.bus.SystemBus;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/// A scope unit in the hands of systemd. Each call is a conversation of its own over the system bus.
///
/// @see <a href="https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html">org.freedesktop.systemd1(5)</a>
final class SystemdScope {
    /// As long as runc waits.
    static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final String SYSTEMD = "org.freedesktop.systemd1";
    private static final String PATH = "/org/freedesktop/systemd1";
    private static final String MANAGER = "org.freedesktop.systemd1.Manager";
    private static final String JOB_REMOVED = "JobRemoved";

    private final ScopeName name;
    private final Path bus;
    private final Duration patience;

    /// @param bus the socket of the system bus
    /// @param patience for each call
    SystemdScope(ScopeName name, Path bus, Duration patience) {
        this.name = name;
        this.bus = bus;
        this.patience = patience;
    }

    private SystemBus connect() throws IOException {
        return SystemBus.connect(bus, patience);
    }

    /// Returns when the scope has its groups and its first process is in them.
    ///
    /// @throws ContainerFailure when systemd refuses
    void start(ScopeProperties properties) throws ContainerFailure {
        try (var line = connect()) {
            listenToJobs(line);
            String job;
            try {
                job = startTransient(line, properties);
            } catch (SystemBus.Refused e) {
                if (!e.name().equals("org.freedesktop.systemd1.UnitExists")) throw e;
                // What failed in an earlier life stays known until somebody has seen it.
                resetFailed(line);
                job = startTransient(line, properties);
            }
            String result = awaitJob(line, job);
            if (result.equals("done")) return;
            resetFailed(line);
            throw failure("error creating systemd unit `" + name.unit() + "`: got `" + result + "`");
        } catch (ContainerFailure e) {
            throw e;
        } catch (IOException e) {
            throw failure("unable to start unit \"" + name.unit() + "\": " + e.getMessage());
        }
    }

    private String startTransient(SystemBus line, ScopeProperties properties) throws IOException {
        return line.call(SYSTEMD, PATH, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", body -> {
            body.string(name.unit()).string("replace");
            properties.write(body);
            body.array(8, _ -> {}); // no further units
        }).read().string();
    }

    /// Ends the scope; does nothing when it is gone, as it is once its last process has ended.
    void stop() throws ContainerFailure {
        try (var line = connect()) {
            listenToJobs(line);
            try {
                awaitJob(line, line.call(SYSTEMD, PATH, MANAGER, "StopUnit", "ss", body -> body.string(name.unit()).string("replace"))
                        .read().string());
            } catch (SystemBus.Refused e) {
                if (!e.name().equals("org.freedesktop.systemd1.NoSuchUnit")) throw e;
            }
            resetFailed(line);
        } catch (IOException e) {
            throw failure("unable to stop unit \"" + name.unit() + "\": " + e.getMessage());
        }
    }

    /// Until the end of the scope. Returns when systemd has written it into the group's files.
    void change(ScopeProperties properties) throws ContainerFailure {
        if (properties.isEmpty()) return;
        try (var line = connect()) {
            line.call(SYSTEMD, PATH, MANAGER, "SetUnitProperties", "sba(sv)", body -> {
                body.string(name.unit()).flag(true);
                properties.write(body);
            });
            // It writes after it has answered, and before it looks at the next message.
            line.call(SYSTEMD, PATH, "org.freedesktop.DBus.Peer", "Ping", "", _ -> {});
        } catch (IOException e) {
            throw failure("unable to set properties of unit \"" + name.unit() + "\": " + e.getMessage());
        }
    }

    private static void listenToJobs(SystemBus line) throws IOException {
        line.listenTo(SYSTEMD, PATH, JOB_REMOVED);
        // Only while somebody is subscribed does systemd say anything.
        line.call(SYSTEMD, PATH, MANAGER, "Subscribe", "", _ -> {});
    }

    /// @return how the job ended, e.g. `done`, `failed`, `canceled`
    private static String awaitJob(SystemBus line, String job) throws IOException {
        while (true) {
            BusMessage.Reader signal = line.nextSignal(JOB_REMOVED).read();
            signal.uint32();
            if (!signal.string().equals(job)) continue;
            signal.string();
            return signal.string();
        }
    }

    private void resetFailed(SystemBus line) throws IOException {
        try {
            line.call(SYSTEMD, PATH, MANAGER, "ResetFailedUnit", "s", body -> body.string(name.unit()));
        } catch (SystemBus.Refused _) {
            // It has not failed, or is gone.
        }
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
