package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/// Calls about files, their names, and mounts.
final class FileLibc {
    static {
        Native.register(FileLibc.class, Platform.C_LIBRARY_NAME);
    }

    private FileLibc() {}

    /// `int openat(int dirfd, const char *pathname, int flags, mode_t mode)`
    static native int openat(int dirfd, Pointer pathname, int flags, int mode);

    /// `int fsync(int fd)`
    static native int fsync(int fd);

    /// `int fdatasync(int fd)`
    static native int fdatasync(int fd);

    /// `ssize_t pwrite64(int fd, const void *buf, size_t count, off64_t offset)`
    static native int pwrite64(int fd, byte[] buffer, int count, long offset);

    /// `int syncfs(int fd)`
    static native int syncfs(int fd);

    /// `int sync_file_range(int fd, off64_t offset, off64_t nbytes, unsigned int flags)`
    static native int sync_file_range(int fd, long offset, long bytes, int flags);

    /// `int posix_fadvise64(int fd, off64_t offset, off64_t len, int advice)`: returns the error instead of setting errno
    static native int posix_fadvise64(int fd, long offset, long length, int advice);

    /// `int mkdirat(int dirfd, const char *pathname, mode_t mode)`
    static native int mkdirat(int dirfd, Pointer pathname, int mode);

    /// `int mknodat(int dirfd, const char *pathname, mode_t mode, dev_t dev)`
    static native int mknodat(int dirfd, Pointer pathname, int mode, long dev);

    /// `int symlinkat(const char *target, int newdirfd, const char *linkpath)`
    static native int symlinkat(Pointer target, int newdirfd, Pointer linkpath);

    /// `int linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)`
    static native int linkat(int olddirfd, Pointer oldpath, int newdirfd, Pointer newpath, int flags);

    /// `int unlinkat(int dirfd, const char *pathname, int flags)`
    static native int unlinkat(int dirfd, Pointer pathname, int flags);

    /// `int renameat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath)`
    static native int renameat(int olddirfd, Pointer oldpath, int newdirfd, Pointer newpath);

    /// `ssize_t readlinkat(int dirfd, const char *pathname, char *buf, size_t bufsiz)`
    static native int readlinkat(int dirfd, Pointer pathname, Pointer buf, int size);

    /// `int fchown(int fd, uid_t owner, gid_t group)`
    static native int fchown(int fd, int owner, int group);

    /// `int fchownat(int dirfd, const char *pathname, uid_t owner, gid_t group, int flags)`
    static native int fchownat(int dirfd, Pointer pathname, int owner, int group, int flags);

    /// `int fchmodat(int dirfd, const char *pathname, mode_t mode, int flags)`
    static native int fchmodat(int dirfd, Pointer pathname, int mode, int flags);

    /// `int futimens(int fd, const struct timespec times[2])`
    static native int futimens(int fd, Pointer times);

    /// `int utimensat(int dirfd, const char *pathname, const struct timespec times[2], int flags)`
    static native int utimensat(int dirfd, Pointer pathname, Pointer times, int flags);

    /// `int statx(int dirfd, const char *pathname, int flags, unsigned int mask, struct statx *statxbuf)`
    static native int statx(int dirfd, Pointer pathname, int flags, int mask, Pointer buffer);

    /// `ssize_t getdents64(int fd, void *dirp, size_t length)`
    static native int getdents64(int fd, Pointer buffer, int length);

    /// `int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)`
    static native int fsetxattr(int fd, String name, byte[] value, int size, int flags);

    /// `int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)`
    static native int lsetxattr(Pointer path, String name, byte[] value, int size, int flags);

    /// `ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)`
    static native int lgetxattr(Pointer path, String name, Pointer value, int size);

    /// `ssize_t llistxattr(const char *path, char *list, size_t size)`
    static native int llistxattr(Pointer path, Pointer list, int size);

    /// `int fchdir(int fd)`
    static native int fchdir(int fd);

    /// `int chdir(const char *path)`
    static native int chdir(String path);

    /// `int chroot(const char *path)`
    static native int chroot(String path);

    /// `mode_t umask(mode_t mask)`
    static native int umask(int mask);

    /// `int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)`
    static native int mount(String source, String target, String type, NativeLong flags, String data);

    /// `int umount2(const char *target, int flags)`
    static native int umount2(String target, int flags);

    /// `int pivot_root(const char *new_root, const char *put_old)`
    static native int pivot_root(String newRoot, String putOld);
}
