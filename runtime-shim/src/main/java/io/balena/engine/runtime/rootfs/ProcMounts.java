package io.balena.engine.runtime.rootfs;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/// What may be mounted on a container's `/proc`, by which a container, and whoever administers it, asks the kernel: nothing that would
/// answer in its place (CVE-2019-16884, CVE-2023-27561), as in runc.
final class ProcMounts {
    private static final Path PROC = Path.of("/proc");
    /// What lxcfs answers as a container of its limits should see it.
    private static final Set<String> EMULATED = Set.of("/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps",
            "/proc/uptime", "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid");

    private ProcMounts() {}

    /// @throws ContainerFailure in runc's words
    static void check(RuntimeSpec.Mount mount, String rootPath) throws ContainerFailure {
        Path destination = Path.of(mount.destination()).normalize();
        if (!destination.startsWith(PROC) || "proc".equals(mount.type()) || EMULATED.contains(destination.toString())) return;
        if (!destination.equals(PROC)) throw refused(rootPath, destination, "it is inside /proc");
        if (!isProc(mount.source())) throw refused(rootPath, destination, "it is not of type proc");
    }

    private static boolean isProc(String source) {
        try {
            return source != null && Files.getFileStore(Path.of(source)).type().equals("proc");
        } catch (IOException e) {
            return false;
        }
    }

    private static ContainerFailure refused(String rootPath, Path destination, String why) {
        return new ContainerFailure(
                ContainerFailure.Kind.SETUP, "\"" + rootPath + destination + "\" cannot be mounted because " + why);
    }
}
