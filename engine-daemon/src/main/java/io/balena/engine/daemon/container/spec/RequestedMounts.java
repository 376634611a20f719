package io.balena.engine.daemon.container.spec;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.runtime.spec.RuntimeSpec.Mount;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/// The mounts a user asked for, in words of the runtime-spec.
final class RequestedMounts {
    /// What dockerd lets through; the file system refuses others of its own options only at the start.
    private static final Set<String> TMPFS_WORDS = Set.of("rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async",
            "dirsync", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime", "mand",
            "nomand", "remount", "bind", "rbind", "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable",
            "runbindable", "defaults");
    private static final Set<String> TMPFS_VALUES = Set.of("mode", "size", "uid", "gid", "nr_inodes", "nr_blocks", "mpol");

    private RequestedMounts() {}

    /// Outer folders first: what is mounted on them would hide what came before inside.
    ///
    /// @throws InvalidRequest in Docker's words
    static List<Mount> of(HostConfig host, List<MountPoint> points) {
        List<Mount> all = new ArrayList<>();
        for (MountPoint point : points) all.add(mount(point));
        host.textMap("Tmpfs").forEach((path, options) -> all.add(new Mount(Path.of(path).normalize().toString(), "tmpfs", "tmpfs",
                tmpfsOptions(options))));
        all.sort(Comparator.comparingInt(mount -> Path.of(mount.destination()).getNameCount()));
        return all;
    }

    private static List<String> tmpfsOptions(String given) {
        List<String> options = new ArrayList<>(List.of("noexec", "nosuid", "nodev"));
        for (String option : given.isEmpty() ? new String[0] : given.split(",")) {
            requireTmpfsOption(option);
            options.remove(switch (option) {
                case "exec" -> "noexec";
                case "suid" -> "nosuid";
                case "dev" -> "nodev";
                default -> option;
            });
            options.add(option);
        }
        if (options.stream().noneMatch(o -> o.startsWith("mode="))) options.add("mode=1777");
        return options;
    }

    private static void requireTmpfsOption(String option) {
        if (TMPFS_WORDS.contains(option)) return;
        String[] parts = option.split("=", 2);
        if (parts.length == 2 && TMPFS_VALUES.contains(parts[0])) return;
        throw new InvalidRequest("invalid tmpfs option [\"" + String.join("\" \"", parts) + "\"]");
    }

    private static Mount mount(MountPoint point) {
        if (point.type() == MountPoint.Type.TMPFS) {
            List<String> options = tmpfsOptions(point.tmpfsOptions());
            if (!point.writable()) options.add("ro");
            return new Mount(point.destination(), "tmpfs", "tmpfs", options);
        }
        List<String> options = new ArrayList<>();
        options.add(point.isRecursive() ? "rbind" : "bind");
        if (!point.propagation().isEmpty()) options.add(point.propagation());
        if (!point.writable()) {
            options.add("ro");
            if (point.isRecursivelyReadOnly()) options.add("rro");
        }
        return new Mount(point.destination(), "bind", point.source(), options);
    }
}
