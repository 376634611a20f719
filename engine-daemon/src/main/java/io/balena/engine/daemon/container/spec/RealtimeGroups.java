package io.balena.engine.daemon.container.spec;

import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.spec.SpecDefaults.Realtime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// Hands real-time processor time down to the groups above a container's, which it can only take its own from.
///
/// @see <a href="https://docs.kernel.org/scheduler/sched-rt-group.html">Real-Time group scheduling</a>
final class RealtimeGroups {
    private static final Path ROOT = Path.of("/sys/fs/cgroup");
    private static final Path CPU = ROOT.resolve("cpu");

    private RealtimeGroups() {}

    /// Does nothing where the engine has none to give.
    ///
    /// @param group the container's, below the root of every hierarchy
    /// @throws SystemFailure in dockerd's words
    static void prepareAbove(Path group, Realtime time) {
        if (time.isNone()) return;
        String context = "unable to init CPU RT controller: ";
        if (Files.exists(ROOT.resolve("cgroup.controllers"))) {
            throw new SystemFailure(context + "daemon-scoped cpu-rt-period and cpu-rt-runtime are not implemented for cgroup v2", null);
        }
        if (!Files.exists(CPU.resolve("cpu.rt_period_us"))) {
            throw new SystemFailure(context + "daemon-scoped cpu-rt-period and cpu-rt-runtime are not supported by this kernel", null);
        }
        try {
            Path at = CPU;
            for (Path name : Path.of("/").relativize(group.getParent())) {
                if (name.toString().isEmpty()) continue;
                at = at.resolve(name);
                Files.createDirectories(at);
                write(at.resolve("cpu.rt_period_us"), time.periodMicros());
                write(at.resolve("cpu.rt_runtime_us"), time.runtimeMicros());
            }
        } catch (IOException e) {
            throw new SystemFailure(context + e.getMessage(), e);
        }
    }

    private static void write(Path file, long value) throws IOException {
        if (value == 0) return;
        try {
            Files.writeString(file, Long.toString(value), StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new IOException("write " + file + ": " + e.getMessage(), e);
        }
    }
}
