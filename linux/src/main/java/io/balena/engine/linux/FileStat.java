package io.balena.engine.linux;

/// What statx(2) says of a file.
///
/// @param mode type and permissions, as `st_mode`
/// @param rdevMajor of a device node, as `rdevMinor`
/// @param device the file system it is on
/// @param mountRoot something is mounted there; never told before Linux 5.8
public record FileStat(
        int mode, int uid, int gid, long size, long links, long inode, long device,
        int rdevMajor, int rdevMinor, long mtimeSeconds, int mtimeNanos, boolean mountRoot) {
    public static final int TYPE_MASK = 0170000;
    public static final int SOCKET = 0140000;
    public static final int SYMLINK = 0120000;
    public static final int REGULAR = 0100000;
    public static final int BLOCK_DEVICE = 0060000;
    public static final int DIRECTORY = 0040000;
    public static final int CHARACTER_DEVICE = 0020000;
    public static final int FIFO = 0010000;

    /// One of the types above.
    public int type() {
        return mode & TYPE_MASK;
    }

    /// The lower twelve bits: permissions, setuid, setgid, sticky.
    public int permissions() {
        return mode & 07777;
    }

    public boolean isDirectory() {
        return type() == DIRECTORY;
    }

    public boolean isRegular() {
        return type() == REGULAR;
    }

    public boolean isSymlink() {
        return type() == SYMLINK;
    }

    /// True for the character device 0/0 by which overlayfs marks a deleted name.
    public boolean isWhiteout() {
        return type() == CHARACTER_DEVICE && rdevMajor == 0 && rdevMinor == 0;
    }
}
