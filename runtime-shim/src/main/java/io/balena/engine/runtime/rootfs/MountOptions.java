package io.balena.engine.runtime.rootfs;

import java.util.List;

/// The options of a mount, as in `config.json` and mount(8), sorted into what mount(2) wants.
///
/// @param flags `MS_…` without propagation
/// @param propagation `MS_PRIVATE` and such, each for a call of its own; in order
/// @param recursiveSet `MOUNT_ATTR_…` to set on the whole tree
/// @param recursiveClear `MOUNT_ATTR_…` to clear on the whole tree
/// @param data what is left for the filesystem, separated by commas
public record MountOptions(long flags, long[] propagation, long recursiveSet, long recursiveClear, String data) {
    static final long MS_RDONLY = 1;
    static final long MS_NOSUID = 2;
    static final long MS_NODEV = 4;
    static final long MS_NOEXEC = 8;
    static final long MS_SYNCHRONOUS = 16;
    static final long MS_REMOUNT = 32;
    static final long MS_MANDLOCK = 64;
    static final long MS_DIRSYNC = 128;
    static final long MS_NOSYMFOLLOW = 256;
    static final long MS_NOATIME = 1024;
    static final long MS_NODIRATIME = 2048;
    static final long MS_BIND = 4096;
    static final long MS_REC = 16384;
    static final long MS_SILENT = 32768;
    static final long MS_UNBINDABLE = 1 << 17;
    static final long MS_PRIVATE = 1 << 18;
    static final long MS_SLAVE = 1 << 19;
    static final long MS_SHARED = 1 << 20;
    static final long MS_RELATIME = 1 << 21;
    static final long MS_I_VERSION = 1 << 23;
    static final long MS_STRICTATIME = 1 << 24;
    static final long MS_LAZYTIME = 1 << 25;

    private static final long[] NO_PROPAGATION = {};

    public static MountOptions of(List<String> options) {
        long flags = 0;
        long[] propagation = NO_PROPAGATION;
        long recursiveSet = 0;
        long recursiveClear = 0;
        StringBuilder data = null;
        for (int i = 0; i < options.size(); i++) {
            String option = options.get(i);
            switch (option) {
                case "defaults" -> {}
                case "ro" -> flags |= MS_RDONLY;
                case "rw" -> flags &= ~MS_RDONLY;
                case "nosuid" -> flags |= MS_NOSUID;
                case "suid" -> flags &= ~MS_NOSUID;
                case "nodev" -> flags |= MS_NODEV;
                case "dev" -> flags &= ~MS_NODEV;
                case "noexec" -> flags |= MS_NOEXEC;
                case "exec" -> flags &= ~MS_NOEXEC;
                case "sync" -> flags |= MS_SYNCHRONOUS;
                case "async" -> flags &= ~MS_SYNCHRONOUS;
                case "dirsync" -> flags |= MS_DIRSYNC;
                case "remount" -> flags |= MS_REMOUNT;
                case "mand" -> flags |= MS_MANDLOCK;
                case "nomand" -> flags &= ~MS_MANDLOCK;
                case "nosymfollow" -> flags |= MS_NOSYMFOLLOW;
                case "symfollow" -> flags &= ~MS_NOSYMFOLLOW;
                case "noatime" -> flags |= MS_NOATIME;
                case "atime" -> flags &= ~MS_NOATIME;
                case "nodiratime" -> flags |= MS_NODIRATIME;
                case "diratime" -> flags &= ~MS_NODIRATIME;
                case "relatime" -> flags |= MS_RELATIME;
                case "norelatime" -> flags &= ~MS_RELATIME;
                case "strictatime" -> flags |= MS_STRICTATIME;
                case "nostrictatime" -> flags &= ~MS_STRICTATIME;
                case "lazytime" -> flags |= MS_LAZYTIME;
                case "nolazytime" -> flags &= ~MS_LAZYTIME;
                case "silent" -> flags |= MS_SILENT;
                case "loud" -> flags &= ~MS_SILENT;
                case "iversion" -> flags |= MS_I_VERSION;
                case "noiversion" -> flags &= ~MS_I_VERSION;
                case "bind" -> flags |= MS_BIND;
                case "rbind" -> flags |= MS_BIND | MS_REC;
                case "private" -> propagation = with(propagation, MS_PRIVATE);
                case "rprivate" -> propagation = with(propagation, MS_PRIVATE | MS_REC);
                case "slave" -> propagation = with(propagation, MS_SLAVE);
                case "rslave" -> propagation = with(propagation, MS_SLAVE | MS_REC);
                case "shared" -> propagation = with(propagation, MS_SHARED);
                case "rshared" -> propagation = with(propagation, MS_SHARED | MS_REC);
                case "unbindable" -> propagation = with(propagation, MS_UNBINDABLE);
                case "runbindable" -> propagation = with(propagation, MS_UNBINDABLE | MS_REC);
                case "rro" -> recursiveSet |= MS_RDONLY;
                case "rrw" -> recursiveClear |= MS_RDONLY;
                case "rnosuid" -> recursiveSet |= MS_NOSUID;
                case "rsuid" -> recursiveClear |= MS_NOSUID;
                case "rnodev" -> recursiveSet |= MS_NODEV;
                case "rdev" -> recursiveClear |= MS_NODEV;
                case "rnoexec" -> recursiveSet |= MS_NOEXEC;
                case "rexec" -> recursiveClear |= MS_NOEXEC;
                // Extensions of runc: contents of the covered folder are not copied by us, and ids are not mapped.
                case "tmpcopyup", "idmap", "ridmap" -> {}
                default -> {
                    if (data == null) data = new StringBuilder(option);
                    else data.append(',').append(option);
                }
            }
        }
        return new MountOptions(flags, propagation, recursiveSet, recursiveClear, data == null ? null : data.toString());
    }

    public boolean isBind() {
        return (flags & MS_BIND) != 0;
    }

    /// Whether there is more to a bind mount than that it is one.
    public boolean isRestricting() {
        return (flags & ~(MS_BIND | MS_REC)) != 0;
    }

    /// The flags of the second call, which gives a bind mount its restrictions.
    public long remounting() {
        return flags | MS_REMOUNT;
    }

    boolean isRecursive() {
        return (flags & MS_REC) != 0;
    }

    private static long[] with(long[] propagation, long flag) {
        long[] longer = new long[propagation.length + 1];
        System.arraycopy(propagation, 0, longer, 0, propagation.length);
        longer[propagation.length] = flag;
        return longer;
    }
}
