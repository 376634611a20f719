package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/// Calls that several areas of this module need, bound by JNA direct mapping: the man page's signature and nothing more.
///
/// Each area binds its own calls in a class like this one ([FileLibc], [ProcessLibc], [LoopLibc], [SocketLibc]), so that a process
/// binds only what it uses; no call is bound twice. We test results ourselves: a declared `throws LastErrorException` fires
/// whenever errno is set, even when the call succeeded.
///
/// `size_t` and `ssize_t` are `int` in all of them: nothing here moves 2 GiB at once, and libffi extends an `int` to the register's
/// width on every architecture we run on. `off64_t` is a `long`, hence the names ending in 64, which 32-bit ARM needs.
final class Libc {
    static {
        Native.register(Libc.class, Platform.C_LIBRARY_NAME);
    }

    private Libc() {}

    /// `int open(const char *pathname, int flags, mode_t mode)`
    static native int open(String path, int flags, int mode);

    /// `int close(int fd)`
    static native int close(int fd);

    /// `ssize_t read(int fd, void *buf, size_t count)`
    static native int read(int fd, Pointer buffer, int count);

    /// The same into an array, which JNA copies: for what is short or rare.
    static native int read(int fd, byte[] buffer, int count);

    /// `ssize_t write(int fd, const void *buf, size_t count)`
    static native int write(int fd, Pointer buffer, int count);

    /// The same out of an array, which JNA copies.
    static native int write(int fd, byte[] buffer, int count);

    /// `off64_t lseek64(int fd, off64_t offset, int whence)`
    static native long lseek64(int fd, long offset, int whence);

    /// `int ftruncate64(int fd, off64_t length)`
    static native int ftruncate64(int fd, long length);

    /// `int fchmod(int fd, mode_t mode)`
    static native int fchmod(int fd, int mode);

    /// `int fcntl(int fd, int cmd, int arg)`; variadic in C, but an int argument travels alike on the platforms we run on
    static native int fcntl(int fd, int command, int argument);

    /// `int unshare(int flags)`
    static native int unshare(int flags);

    /// `int setns(int fd, int nstype)`
    static native int setns(int fd, int type);

    /// `long syscall(long number, …)`, by which [#call] makes all calls that Debian's and the devices' libc may not have
    private static native NativeLong syscall(NativeLong number, int first, NativeLong second, NativeLong third, NativeLong fourth);

    static int call(Syscall call, int first, long second, long third, long fourth) {
        return syscall(
                new NativeLong(call.number()), first, new NativeLong(second), new NativeLong(third), new NativeLong(fourth)).intValue();
    }

    /// Turns a result of -1 into the exception that names the call. JNA keeps errno per OS thread until its next call:
    /// nothing that could park a virtual thread may stand between the call and this.
    static int check(int result, String call, Object on) throws ErrnoException {
        if (result == -1) throw new ErrnoException(Native.getLastError(), call, on);
        return result;
    }

    static long check(long result, String call, Object on) throws ErrnoException {
        if (result == -1) throw new ErrnoException(Native.getLastError(), call, on);
        return result;
    }
}
