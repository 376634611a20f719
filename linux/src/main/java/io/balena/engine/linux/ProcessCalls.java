package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/// Calls about processes and memory.
///
/// `size_t` is a Java `long` where a whole register is read; libffi passes it right on 64-bit machines.
final class ProcessCalls {
    static {
        Native.register(ProcessCalls.class, Platform.C_LIBRARY_NAME);
    }

    private ProcessCalls() {}

    /// `void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off64_t offset)`
    static native long mmap64(long address, long length, int protection, int flags, int fd, long offset);

    /// `int mprotect(void *addr, size_t len, int prot)`
    static native int mprotect(long address, long length, int protection);

    /// `int munmap(void *addr, size_t length)`
    static native int munmap(long address, long length);

    /// `int socketpair(int domain, int type, int protocol, int sv[2])`
    static native int socketpair(int domain, int type, int protocol, int[] ends);

    /// `ssize_t read(int fd, void *buf, size_t count)`
    static native long read(int fd, byte[] buffer, long count);

    /// `ssize_t write(int fd, const void *buf, size_t count)`
    static native long write(int fd, byte[] buffer, long count);

    /// `int open(const char *pathname, int flags, mode_t mode)`
    static native int open(String path, int flags, int mode);

    /// `int fcntl(int fd, int cmd, int arg)`
    static native int fcntl(int fd, int command, int argument);

    /// `int setns(int fd, int nstype)`
    static native int setns(int fd, int type);

    /// `int eventfd(unsigned int initval, int flags)`
    static native int eventfd(int initial, int flags);

    /// `int inotify_init1(int flags)`
    static native int inotify_init1(int flags);

    /// `int inotify_add_watch(int fd, const char *pathname, uint32_t mask)`
    static native int inotify_add_watch(int fd, String path, int mask);

    /// `int prctl(int option, unsigned long arg2, …)`
    static native int prctl(int option, long argument, long third, long fourth, long fifth);

    /// `int waitid(idtype_t idtype, id_t id, siginfo_t *infop, int options)`
    static native int waitid(int idType, int id, Pointer info, int options);

    /// `int poll(struct pollfd *fds, nfds_t nfds, int timeout)`
    static native int poll(long[] descriptors, long count, int timeoutMillis);

    /// `long syscall(long number, …)`, for calls that Debian's and the devices' libc may not have.
    static native long syscall(long number, long first, long second, long third, long fourth, long fifth);
}
