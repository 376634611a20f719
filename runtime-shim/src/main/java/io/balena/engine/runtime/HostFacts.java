package io.balena.engine.runtime;

import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// What the runtime itself is allowed and has inherited, read once.
///
/// @param permitted our permitted capabilities; a container cannot get more
/// @param bounding our bounding set
/// @param ignoredSignals bit n-1 for signal n; handlers are reset for a child by the kernel, ignored signals are not
/// @param lastCapability the highest capability the kernel knows
/// @param apparmor whether profiles can be set
record HostFacts(long permitted, long bounding, long ignoredSignals, int lastCapability, boolean apparmor) {
    static HostFacts read() throws IOException {
        String status = KernelFile.text(Path.of("/proc/self/status"));
        int last = Integer.parseInt(KernelFile.text(Path.of("/proc/sys/kernel/cap_last_cap")).trim());
        Path apparmor = Path.of("/sys/module/apparmor/parameters/enabled");
        return new HostFacts(
                hexField(status, "CapPrm:"),
                hexField(status, "CapBnd:"),
                hexField(status, "SigIgn:"),
                last,
                Files.exists(apparmor) && KernelFile.text(apparmor).startsWith("Y"));
    }

    /// The same for whoever is in a user namespace below ours, where the kernel gives every right anew.
    HostFacts inUserNamespace() {
        long all = -1L >>> (63 - lastCapability);
        return new HostFacts(all, all, ignoredSignals, lastCapability, apparmor);
    }

    private static long hexField(String status, String name) {
        int at = status.indexOf('\n' + name) + 1 + name.length();
        return Long.parseUnsignedLong(status.substring(at, status.indexOf('\n', at)).trim(), 16);
    }
}
