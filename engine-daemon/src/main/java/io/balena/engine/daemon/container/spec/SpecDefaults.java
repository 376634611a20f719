package io.balena.engine.daemon.container.spec;

import java.util.List;
import java.util.Optional;

/// What the engine decides at each start of a container that does not say it itself. Unlike `HostDefaults`, a restart of the engine
/// with other flags changes it.
///
/// @param cgroupParent empty for the engine's own
/// @param realtime of the groups above those of containers
/// @param noNewPrivileges unless a container says otherwise
/// @param seccomp unless a container says otherwise
/// @param init unless a container says that it wants none
public record SpecDefaults(CgroupDriver cgroups, Optional<String> cgroupParent, List<Ulimit> ulimits, boolean noNewPrivileges,
        SeccompSource seccomp, Realtime realtime, InitProgram init) {
    public static final SpecDefaults DOCKERS = new SpecDefaults(CgroupDriver.CGROUPFS, Optional.empty(), List.of(), false,
            SeccompSource.BUILTIN, Realtime.NONE, new InitProgram(false, Optional.empty()));

    /// Real-time processor time, for all containers together; 0 for what the kernel gives.
    public record Realtime(long periodMicros, long runtimeMicros) {
        public static final Realtime NONE = new Realtime(0, 0);

        boolean isNone() {
            return periodMicros == 0 && runtimeMicros == 0;
        }
    }

    /// @param name e.g. `nofile`
    /// @param soft -1 is no limit
    /// @param hard -1 is no limit
    public record Ulimit(String name, long soft, long hard) {}
}
