package io.balena.engine.linux;

import com.sun.jna.NativeLong;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// mount(2), umount2(2), and the kernel's table of mounts.
public final class Mounts {
    private static final int MNT_DETACH = 2;

    private Mounts() {}

    /// @param target may be relative to the thread's working directory
    /// @throws ErrnoException `ENOENT` when the target or something named in the options is missing
    public static void mount(Mount mount, Path target) throws ErrnoException {
        int result = FileLibc.mount(mount.source(), target.toString(), mount.type(), new NativeLong(mount.flags()), mount.options());
        Libc.check(result, "mount " + mount + " on", target);
    }

    /// Takes the mount out of the tree at once; it ends when its last user does.
    ///
    /// @throws ErrnoException `EINVAL` when nothing is mounted there
    public static void detach(Path target) throws ErrnoException {
        Libc.check(FileLibc.umount2(target.toString(), MNT_DETACH), "umount", target);
    }

    /// Whether `target`, an absolute path without symbolic links, leads to what is mounted on it. A mount that lies there and is hidden,
    /// because a folder above has been mounted over since, does not count: who goes there does not get to it.
    ///
    /// @see <a href="https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html">proc_pid_mountinfo(5)</a>
    /// @see <a href="https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html">proc_pid_fdinfo(5), mnt_id</a>
    public static boolean isMounted(Path target) throws IOException {
        String beginning;
        try (Fd reached = Fd.open(target, OpenFlags.PATH | OpenFlags.NOFOLLOW | OpenFlags.CLOEXEC)) {
            beginning = mountId(reached) + " ";
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR) return false;
            throw e;
        }
        String wanted = escape(target.toString());
        String table = new String(KernelFile.bytes(Path.of("/proc/self/mountinfo")), StandardCharsets.ISO_8859_1);
        for (String line : table.split("\n")) {
            if (line.startsWith(beginning)) return line.split(" ", 6)[4].equals(wanted);
        }
        return false;
    }

    private static String mountId(Fd file) throws IOException {
        for (String line : KernelFile.lines(Path.of("/proc/self/fdinfo", Integer.toString(file.number())))) {
            if (line.startsWith("mnt_id:")) return line.substring("mnt_id:".length()).strip();
        }
        throw new IOException("no mnt_id in the fdinfo of " + file);
    }

    // The kernel writes these four as octal escapes, and other bytes as they are.
    private static String escape(String path) {
        String bytes = new String(path.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
        return bytes.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012");
    }
}
