package io.balena.engine.daemon;

import java.util.List;

/// What daemon.json may change while the engine runs, when it is read again.
///
/// @param flags what the command line said
/// @param running what holds now
record Reload(Settings flags, Settings running) {
    /// What the file says no more stays as it is, as with dockerd.
    private static final List<String> KEPT = List.of("debug", "label", "live-restore", "shutdown-timeout", "insecure-registry", "registry-mirror",
            "default-ipc-mode", "default-shm-size", "default-runtime");
    /// What the file says no more is as if nobody had ever said it, as with dockerd.
    private static final List<String> RESET = List.of("max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts");

    /// Reads the file again.
    ///
    /// @return all settings, of which only those that can be changed have changed
    /// @throws ConfigFile.ConfigException when the file makes no sense; nothing changes then
    Settings next() throws ConfigFile.ConfigException {
        Settings said = flags.copy();
        ConfigFile.addTo(said);
        Settings next = running.copy();
        for (String flag : KEPT) {
            if (said.says(flag)) next.take(Settings.named(flag), said);
        }
        for (String flag : RESET) next.take(Settings.named(flag), said);
        return next;
    }
}
