package io.balena.engine.daemon.container.spec;

import io.balena.engine.daemon.container.spec.SeccompProfile.Machine;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Finds the filter of a container. What is not allowed by Docker's default profile, in `seccomp.json`, fails with `EPERM`; the allowed
/// set depends on the machine and on the container's capabilities: whoever may mount has no use for a filter that forbids it.
final class SeccompProfiles {
    private static final int MOST_KEPT = 8;

    private final Machine machine;
    private final SeccompSource usual;
    /// Of the built-in profile. Few sets of capabilities are in use on one machine.
    private final Map<List<String>, Seccomp> byCapabilities = new ConcurrentHashMap<>();

    /// @param usual for containers that name none
    SeccompProfiles(Machine machine, SeccompSource usual) {
        this.machine = machine;
        this.usual = usual;
    }

    /// @param asked what the container says; null for the engine's default
    /// @param capabilities the container's bounding set
    /// @return null for no filter
    /// @throws io.balena.engine.daemon.EngineException.SystemFailure with Docker's words for a profile that cannot be understood
    Seccomp of(SeccompSource asked, List<String> capabilities) {
        return switch (asked == null ? usual : asked) {
            case SeccompSource.Unconfined _ -> null;
            case SeccompSource.Inline inline -> SeccompProfileReader.read(inline.json()).on(machine, capabilities);
            case SeccompSource.FromFile file -> SeccompProfileReader.read(file.json()).on(machine, capabilities);
            case SeccompSource.Builtin _ -> builtin(capabilities);
        };
    }

    private Seccomp builtin(List<String> capabilities) {
        Seccomp known = byCapabilities.get(capabilities);
        if (known != null) return known;
        var resolved = builtin().on(machine, capabilities);
        if (byCapabilities.size() >= MOST_KEPT) byCapabilities.clear();
        byCapabilities.put(List.copyOf(capabilities), resolved);
        return resolved;
    }

    /// Read again for each set of capabilities: that is rare, and the memory would be held for ever.
    static SeccompProfile builtin() {
        try (var in = SeccompProfiles.class.getResourceAsStream("seccomp.json")) {
            return SeccompProfileReader.read(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException("the default seccomp profile cannot be read", e);
        }
    }
}
