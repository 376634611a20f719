package io.balena.engine.linux;

import com.sun.jna.Platform;

/// Flags of open(2), four of which have other numbers on ARM than on x86, and rules of openat2(2).
///
/// @see <a href="https://man7.org/linux/man-pages/man2/open.2.html">open(2)</a>
/// @see <a href="https://man7.org/linux/man-pages/man2/openat2.2.html">openat2(2)</a>
public final class OpenFlags {
    private static final boolean ARM = Platform.isARM();

    /// In place of a folder's descriptor: relative paths start from the working folder.
    public static final int AT_FDCWD = -100;

    public static final int RDONLY = 0;
    public static final int WRONLY = 1;
    public static final int RDWR = 2;
    public static final int CREAT = 0100;
    public static final int EXCL = 0200;
    public static final int TRUNC = 01000;
    public static final int NOCTTY = 0400;
    public static final int APPEND = 02000;
    public static final int NONBLOCK = 04000;
    /// Reading does not change when the file was last read. Only for its owner and for who may act as that.
    public static final int NOATIME = 01000000;
    public static final int CLOEXEC = 02000000;
    public static final int PATH = 010000000;
    public static final int DIRECTORY = ARM ? 040000 : 0200000;
    public static final int NOFOLLOW = ARM ? 0100000 : 0400000;
    /// Without it a 32-bit process cannot open files of 2 GiB; 64-bit kernels imply it.
    static final int LARGEFILE = ARM ? 0400000 : 0100000;

    /// No component may be a link such as those in `/proc/<pid>/fd`.
    public static final long RESOLVE_NO_MAGICLINKS = 0x02;
    /// No component may be a symbolic link.
    public static final long RESOLVE_NO_SYMLINKS = 0x04;
    /// The path may not leave the directory; `..`, absolute names and links that try fail with `EXDEV`.
    public static final long RESOLVE_BENEATH = 0x08;
    /// The directory is taken for the root, as chroot(2) does.
    public static final long RESOLVE_IN_ROOT = 0x10;

    private OpenFlags() {}
}
