package io.balena.engine.runtime.process;

import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// What the runtime itself is allowed and has inherited, read once.
///
/// @param permitted our permitted capabilities; a container cannot get more
/// @param bounding our bounding set
/// @param ignoredSignals bit n-1 for signal n; handlers are reset for a child by the kernel, ignored signals are not
/// @param lastCapability the highest capability the kernel knows
/// @param apparmor the file a process writes its next profile to; empty where there is no AppArmor
/// @param belowUsers whether this is about a process in a user namespace below ours
public record HostFacts(long permitted, long bounding, long ignoredSignals, int lastCapability, Optional<String> apparmor, boolean belowUsers) {
    public static HostFacts read() throws IOException {
        String status = KernelFile.text(Path.of("/proc/self/status"));
        int last = Integer.parseInt(KernelFile.text(Path.of("/proc/sys/kernel/cap_last_cap")).trim());
        return new HostFacts(
                hexField(status, "CapPrm:"),
                hexField(status, "CapBnd:"),
                hexField(status, "SigIgn:"),
                last,
                fileForProfiles(),
                false);
    }

    /// Since Linux 5.8 AppArmor has a file of its own; the older one may belong to another security module.
    private static Optional<String> fileForProfiles() throws IOException {
        Path enabled = Path.of("/sys/module/apparmor/parameters/enabled");
        if (!Files.exists(enabled) || !KernelFile.text(enabled).startsWith("Y")) return Optional.empty();
        return Optional.of(Files.exists(Path.of("/proc/self/attr/apparmor/exec")) ? "/proc/self/attr/apparmor/exec" : "/proc/self/attr/exec");
    }

    /// The same for whoever is in a user namespace below ours, where the kernel gives every right anew.
    public HostFacts inUserNamespace() {
        long all = -1L >>> (63 - lastCapability);
        return new HostFacts(all, all, ignoredSignals, lastCapability, apparmor, true);
    }

    private static long hexField(String status, String name) {
        int at = status.indexOf('\n' + name) + 1 + name.length();
        return Long.parseUnsignedLong(status.substring(at, status.indexOf('\n', at)).trim(), 16);
    }
}
