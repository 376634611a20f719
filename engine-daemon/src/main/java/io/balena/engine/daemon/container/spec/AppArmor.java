package io.balena.engine.daemon.container.spec;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// AppArmor of the host, which confines containers by the profiles it has loaded.
///
/// As with dockerd, it counts only if its parser is installed; without it, options that name profiles have no effect.
///
/// @see <a href="https://docs.kernel.org/admin-guide/LSM/apparmor.html">AppArmor</a>
public final class AppArmor {
    private static final String UNCONFINED = "unconfined";
    private static final String DEFAULT = "docker-default";

    private final Path root;

    /// @param root where `/sys` and `/sbin` are found
    AppArmor(Path root) {
        this.root = root;
    }

    public static AppArmor ofThisHost() {
        return new AppArmor(Path.of("/"));
    }

    public boolean isEnabled() {
        Path enabled = root.resolve("sys/module/apparmor/parameters/enabled");
        try {
            return Files.exists(enabled) && Files.readString(enabled).startsWith("Y") && Files.isExecutable(root.resolve("sbin/apparmor_parser"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// @param asked what the container says
    /// @return the `apparmorProfile` of its processes; null for none
    String profile(Optional<String> asked, boolean privileged) {
        if (!isEnabled()) return null;
        if (asked.isPresent()) return asked.get();
        if (privileged) return UNCONFINED;
        // The engine brings no profile of its own; that of a dockerd is used if it is there.
        return isLoaded(DEFAULT) ? DEFAULT : null;
    }

    private boolean isLoaded(String profile) {
        Path profiles = root.resolve("sys/kernel/security/apparmor/profiles");
        try {
            return Files.exists(profiles) && Files.readAllLines(profiles).stream().anyMatch(line -> line.startsWith(profile + " "));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
