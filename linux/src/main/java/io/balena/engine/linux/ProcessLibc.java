package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/// Calls about processes and their memory.
///
/// A `size_t` here may be as wide as the register, so these are right on 64-bit machines only, as [Trampoline] is.
final class ProcessLibc {
    static {
        Native.register(ProcessLibc.class, Platform.C_LIBRARY_NAME);
    }

    private ProcessLibc() {}

    /// `void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off64_t offset)`
    static native long mmap64(long address, long length, int protection, int flags, int fd, long offset);

    /// `int mprotect(void *addr, size_t len, int prot)`
    static native int mprotect(long address, long length, int protection);

    /// `int madvise(void *addr, size_t length, int advice)`
    static native int madvise(long address, long length, int advice);

    /// `int munmap(void *addr, size_t length)`
    static native int munmap(long address, long length);

    /// `int prctl(int option, unsigned long arg2, …)`
    static native int prctl(int option, long argument, long third, long fourth, long fifth);

    /// `int waitid(idtype_t idtype, id_t id, siginfo_t *infop, int options)`
    static native int waitid(int idType, int id, Pointer info, int options);

    /// `int kill(pid_t pid, int sig)`
    static native int kill(int pid, int signal);

    /// `pid_t setsid(void)`
    static native int setsid();

    /// `pid_t getpid(void)`
    static native int getpid();

    /// `uid_t geteuid(void)`
    static native int geteuid();
}
