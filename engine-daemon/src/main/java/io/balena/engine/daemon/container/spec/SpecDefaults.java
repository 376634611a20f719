package io.balena.engine.daemon.container.spec;

import java.util.List;
import java.util.Optional;

/// What the engine decides at each start of a container that does not say it itself. Unlike `HostDefaults`, a restart of the engine
/// with other flags changes it.
///
/// @param cgroupParent empty for the engine's own
/// @param noNewPrivileges unless a container says otherwise
/// @param init unless a container says that it wants none
public record SpecDefaults(CgroupDriver cgroups, Optional<String> cgroupParent, List<Ulimit> ulimits, boolean noNewPrivileges,
        InitProgram init) {
    public static final SpecDefaults DOCKERS = new SpecDefaults(CgroupDriver.CGROUPFS, Optional.empty(), List.of(), false,
            new InitProgram(false, Optional.empty()));

    /// @param name e.g. `nofile`
    /// @param soft -1 is no limit
    /// @param hard -1 is no limit
    public record Ulimit(String name, long soft, long hard) {}
}
