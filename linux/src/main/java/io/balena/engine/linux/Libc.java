package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;

/// Calls that every part of this module needs, bound by JNA direct mapping: the man page's signature and nothing more.
///
/// Each area binds its own calls in a class like this one beside the code that uses them. We test results ourselves:
/// a declared `throws LastErrorException` fires whenever errno is set, even when the call succeeded.
final class Libc {
    static {
        Native.register(Libc.class, Platform.C_LIBRARY_NAME);
    }

    private Libc() {}

    /// `int close(int fd)`
    static native int close(int fd);

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
