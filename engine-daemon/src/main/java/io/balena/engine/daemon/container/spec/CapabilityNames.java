package io.balena.engine.daemon.container.spec;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/// The capabilities a container gets.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/capabilities.7.html">capabilities(7)</a>
final class CapabilityNames {
    /// In the order of their numbers.
    private static final List<String> ALL = List.of("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
            "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
            "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
            "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
            "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE",
            "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
            "CAP_CHECKPOINT_RESTORE");

    private static final List<String> DEFAULT = List.of("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD",
            "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
            "CAP_AUDIT_WRITE");

    private CapabilityNames() {}

    /// @throws InvalidRequest with Docker's words for a name that is none
    static List<String> of(List<String> add, List<String> drop, boolean privileged) {
        Set<String> added = normalized("CapAdd", add);
        Set<String> dropped = normalized("CapDrop", drop);
        if (privileged) return held(ALL);
        Set<String> result = new LinkedHashSet<>();
        if (added.contains("ALL")) result.addAll(held(ALL));
        else if (!dropped.contains("ALL")) result.addAll(DEFAULT);
        dropped.forEach(result::remove);
        added.stream().filter(name -> !name.equals("ALL")).forEach(result::add);
        return List.copyOf(result);
    }

    private static Set<String> normalized(String field, List<String> names) {
        Set<String> all = new LinkedHashSet<>();
        for (String given : names) {
            String name = given.toUpperCase(Locale.ROOT);
            if (!name.equals("ALL") && !name.startsWith("CAP_")) name = "CAP_" + name;
            if (!name.equals("ALL") && !ALL.contains(name)) {
                throw new InvalidRequest("invalid " + field + ": unknown capability: \"" + name + "\"");
            }
            all.add(name);
        }
        return all;
    }

    // "All" can only mean all that this process may give: an engine in a container has fewer, an old kernel knows fewer.
    private static List<String> held(List<String> names) {
        long mask = Held.MASK;
        return names.stream().filter(name -> (mask >>> ALL.indexOf(name) & 1) == 1).toList();
    }

    private static final class Held {
        private static final long MASK = read();

        private static long read() {
            try {
                return KernelFile.lines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("CapBnd:")).findFirst()
                        .map(line -> Long.parseUnsignedLong(line.substring("CapBnd:".length()).trim(), 16)).orElse(-1L);
            } catch (IOException e) {
                return -1L;
            }
        }
    }
}
