package io.balena.engine.packaging;

import java.util.List;
import java.util.function.BiPredicate;
import java.util.regex.Pattern;

/// Why we differ from dockerd 20.10 with runc 1.1.5 in a fact, and mean to.
///
/// @param fact which facts; all of the name must match
/// @param holds whether these two values, ours and theirs, are what is meant
record Explanation(Pattern fact, BiPredicate<String, String> holds, String reason) {
    private static final List<Explanation> ALL = List.of(
            of("call\\.(303|310|311|329|330|331)", "EINVAL", "EPERM",
                    "name_to_handle_at, process_vm_readv and _writev and the pkey calls are in Docker's default profile since 23.0"),
            of("call\\.42[567]", "EPERM", "E(FAULT|INVAL|BADF)", "Docker's default profile forbids io_uring since 25.0"),
            of("call\\.4[56]\\d", "E\\w+|done", "ENOSYS", "libseccomp 2.5.4 does not know these calls, and runc answers so to all it does not know"),
            of("(mount\\./|mount\\./in/a/named)", "(.*)relatime  (.*)", "(.*)relatime master (.*)",
                    "dockerd makes its data root a shared mount of which containers are slaves; ours get a private copy"),
            of("mount\\./proc/\\w+", "/null rw,relatime  devtmpfs .*", "/null rw,nosuid  tmpfs .*",
                    "the container's own /dev/null, which runc masks files by, could be exchanged (CVE-2025-31133); the host's cannot"),
            of("mount\\./sys/fs/cgroup", "/ ro,(.*)", "/ rw,(.*)", "runc leaves the folder of the hierarchies writable"),
            of("cgroup /sys/fs/cgroup", "drwxr-xr-x 0:0", "dr-xr-xr-x 0:0", "runc gives a tmpfs the mode of the folder that it covers, here sysfs's"),
            of("self\\.cgroup", "(.*) 0::/", "(.*) 0::/docker/ID",
                    "beside hierarchies of version 1 the one of version 2 holds no controller, and we make no group in it"),
            new Explanation(Pattern.compile("status\\.Cap(Eff|Prm|Bnd)"), Explanation::lacksTheNewest,
                    "dockerd 20.10 does not know CAP_PERFMON, CAP_BPF and CAP_CHECKPOINT_RESTORE"),
            of("fd\\.0", "(/dev/null .* rdev 103) flags 2 cloexec 0", "(/dev/null .* rdev 103) flags 0 cloexec 0",
                    "an exec without input has /dev/null for it in both; ours is the same as a container's"),
            of("keyring\\.session", "keyring;0;0;3f130000;_ses.ID", "keyring;0;0;3f1b0000;_ses.ID",
                    "runc lets every process of the same user join a container's keyring by its name; ours is nobody else's"),
            of("mount\\./sys/fs/cgroup/systemd", "(.*)  cgroup cgroup rw,name=systemd (.*)", "(.*)  cgroup systemd rw,name=systemd (.*)",
                    "a name without a meaning, which /proc/mounts shows as the source"),
            new Explanation(Pattern.compile("mount\\.order"), (o, t) -> o.equals(t.replace(" /dev/console", "") + " /dev/console"),
                    "the terminal is mounted last, when everything is masked, instead of just before"),
            new Explanation(Pattern.compile("status\\.SigIgn"), (o, t) -> (Long.parseUnsignedLong(o, 16) & ~Long.parseUnsignedLong(t, 16)) == 0,
                    "dockerd hands on the signals that it was itself started with ignored"),
            of("limit\\.Max open files", "100 200 files", "200 200 files", "the Go runtime raises its own soft limit, and runc exec hands that on"));

    private static Explanation of(String fact, String ours, String theirs, String reason) {
        Pattern our = Pattern.compile(ours);
        Pattern their = Pattern.compile(theirs);
        return new Explanation(Pattern.compile(fact), (o, t) -> {
            if (o == null || t == null) return false;
            var a = our.matcher(o);
            var b = their.matcher(t);
            if (!a.matches() || !b.matches()) return false;
            // What the groups hold must be the same in both.
            for (int group = 1; group <= Math.min(a.groupCount(), b.groupCount()); group++) {
                if (!a.group(group).equals(b.group(group))) return false;
            }
            return true;
        }, reason);
    }

    private static boolean lacksTheNewest(String ours, String theirs) {
        long newest = 7L << 38;
        return (Long.parseUnsignedLong(ours, 16) & ~newest) == Long.parseUnsignedLong(theirs, 16);
    }

    /// @return null when there is none
    static Explanation of(Difference difference) {
        return ALL.stream().filter(e -> e.fact.matcher(difference.fact()).matches() && e.holds.test(difference.ours(), difference.theirs()))
                .findFirst().orElse(null);
    }
}
