package io.balena.engine.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;

/// Calls for the sockets between systemd and the services it starts.
final class ServiceSockets {
    static final int AF_UNIX = 1;
    static final int SOCK_DGRAM = 2;
    static final int SOCK_CLOEXEC = 02000000;
    static final int MSG_NOSIGNAL = 0x4000;
    static final int F_SETFD = 2;
    static final int F_GETFL = 3;
    static final int F_SETFL = 4;
    static final int O_NONBLOCK = 04000;
    static final int FD_CLOEXEC = 1;
    /// Bytes in the path of a `struct sockaddr_un`, which begins with a 16-bit family.
    static final int SUN_PATH = 108;

    static {
        Native.register(ServiceSockets.class, Platform.C_LIBRARY_NAME);
    }

    private ServiceSockets() {}

    /// `int socket(int domain, int type, int protocol)`
    static native int socket(int domain, int type, int protocol);

    /// `ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t addrlen)`
    static native NativeLong sendto(int fd, Pointer buffer, NativeLong length, int flags, Pointer address, int addressLength);

    /// `int getsockname(int fd, struct sockaddr *addr, socklen_t *addrlen)`
    static native int getsockname(int fd, Pointer address, IntByReference length);

    /// `int fcntl(int fd, int cmd, int arg)`; variadic in C, but an int argument travels alike on the platforms we run on
    static native int fcntl(int fd, int command, int argument);

    /// A `struct sockaddr_un` for `path`, where a leading `@` stands for the abstract name space's zero byte.
    static Memory address(byte[] path) {
        var address = new Memory(2L + SUN_PATH);
        address.clear();
        address.setShort(0, (short) AF_UNIX);
        address.write(2, path, 0, path.length);
        if (path[0] == '@') address.setByte(2, (byte) 0);
        return address;
    }
}
