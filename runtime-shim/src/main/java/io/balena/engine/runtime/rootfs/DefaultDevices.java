package io.balena.engine.runtime.rootfs;

import io.balena.engine.runtime.spec.RuntimeSpec;
import java.util.ArrayList;
import java.util.List;

/// The devices every container may use, whether its bundle names them or not; all others it may not unless it does.
///
/// What the engine writes names them all.
///
/// @see <a href="https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config-linux.md#default-devices">OCI runtime-spec, default
///     devices</a>
public final class DefaultDevices {
    private DefaultDevices() {}

    /// @param resources may be null
    public static RuntimeSpec.Resources allowed(RuntimeSpec.Resources resources) {
        List<RuntimeSpec.DeviceRule> rules = new ArrayList<>();
        rules.add(new RuntimeSpec.DeviceRule(false, "a", null, null, "rwm"));
        if (resources != null) rules.addAll(resources.devices());
        rules.add(new RuntimeSpec.DeviceRule(true, "c", null, null, "m"));
        rules.add(new RuntimeSpec.DeviceRule(true, "b", null, null, "m"));
        // null, zero, full, random, urandom, tty, console, ptmx, and the terminals behind it
        for (long minor : new long[] {3, 5, 7, 8, 9}) rules.add(character(1L, minor));
        for (long minor : new long[] {0, 1, 2}) rules.add(character(5, minor));
        rules.add(character(136, null));
        return resources == null
                ? new RuntimeSpec.Resources(rules, null, null, null, null, null, null)
                : new RuntimeSpec.Resources(
                        rules,
                        resources.memory(),
                        resources.cpu(),
                        resources.pids(),
                        resources.blockIO(),
                        resources.hugepageLimits(),
                        resources.unified());
    }

    private static RuntimeSpec.DeviceRule character(long major, Long minor) {
        return new RuntimeSpec.DeviceRule(true, "c", major, minor, "rwm");
    }
}
