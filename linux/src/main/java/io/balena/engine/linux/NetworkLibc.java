package io.balena.engine.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/// The calls behind netlink, network namespaces and port reservations.
///
/// Constants are the generic Linux ones, equal on x86-64, aarch64 and arm.
final class NetworkLibc {
    static {
        Native.register(NetworkLibc.class, Platform.C_LIBRARY_NAME);
    }

    static final int AF_UNIX = 1;
    static final int AF_INET = 2;
    static final int AF_INET6 = 10;
    static final int AF_NETLINK = 16;
    static final int SOCK_STREAM = 1;
    static final int SOCK_DGRAM = 2;
    static final int SOCK_RAW = 3;
    static final int SOCK_CLOEXEC = 0x80000;
    static final int SOL_SOCKET = 1;
    static final int SO_REUSEADDR = 2;
    static final int O_RDONLY = 0;
    static final int O_CLOEXEC = 0x80000;
    static final int CLONE_NEWNET = 0x40000000;

    private NetworkLibc() {}

    /// `int socket(int domain, int type, int protocol)`
    static native int socket(int domain, int type, int protocol);

    /// `int bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen)`
    static native int bind(int sockfd, Pointer addr, int addrlen);

    /// `int listen(int sockfd, int backlog)`
    static native int listen(int sockfd, int backlog);

    /// `int setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen)`
    static native int setsockopt(int sockfd, int level, int optname, Pointer optval, int optlen);

    /// `ssize_t send(int sockfd, const void *buf, size_t len, int flags)`
    static native NativeLong send(int sockfd, Pointer buf, NativeLong len, int flags);

    /// `ssize_t recv(int sockfd, void *buf, size_t len, int flags)`
    static native NativeLong recv(int sockfd, Pointer buf, NativeLong len, int flags);

    /// `int open(const char *pathname, int flags)`
    static native int open(String pathname, int flags);

    /// `int setns(int fd, int nstype)`
    static native int setns(int fd, int nstype);

    /// `int unshare(int flags)`
    static native int unshare(int flags);
}
